//! [`Threads`]: a server's own threads, beside those of the client that loads it.
//!
//! What must hold: each server under load has a scheduler and threads of its own, as many as a process
//! of its own would have, so that a request costs the wake-ups that it costs between processes.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

/// Threads that serve; they end when this is dropped.
#[derive(Debug)]
pub struct Threads(Option<Runtime>);

impl Threads {
    /// Starts as many as there are cores, named `name`.
    pub fn start(name: &str) -> std::io::Result<Threads> {
        let runtime = Builder::new_multi_thread()
            .thread_name(name)
            .enable_all()
            .build()?;
        Ok(Threads(Some(runtime)))
    }

    /// Runs `work` there and waits for it.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let runtime = self.0.as_ref().expect("it is taken only by dropping");
        match runtime.spawn(work).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
