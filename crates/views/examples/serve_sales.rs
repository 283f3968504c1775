//! Serves a few sales and views over them to clients of Postgres, for the tests with such clients.
//!
//! ```sh
//! cargo run --example serve_sales -- 127.0.0.1:5466
//! psql -h 127.0.0.1 -p 5466 tidemill -c '\d'
//! ```
//!
//! Prints its address on a line of its own, and stops when its standard input ends.

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::Read;
use std::sync::Arc;

use futures_util::FutureExt;
use tidemill_testkit::SimClock;
use tidemill_views::sql::{Queries, listen};

type Failure = Box<dyn std::error::Error>;

/// Few enough that a test can use them up.
const CONNECTIONS_MAX: usize = 10;

fn main() -> Result<(), Failure> {
    let address = std::env::args().nth(1);
    let address = address.ok_or("usage: serve_sales ADDRESS")?.parse()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let clock = Arc::new(SimClock::default());
        let queries = Arc::new(Queries::new(support::sales::shelf(), clock));
        let input = tokio::task::spawn_blocking(|| {
            // An error is an end too.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
        });
        let until = input.map(|_| ()).boxed();
        let listening = listen(queries, address, CONNECTIONS_MAX, until).await?;
        println!("{}", listening.address);
        listening.stopped.await?;
        Ok(())
    })
}
