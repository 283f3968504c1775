//! Two views of the same records: [`Standing`]. One has all of them in its batch layer, the other has one
//! in twenty in its speed layer.
//!
//! What must hold: both come to the same; what is in the speed layer stays there, because the server is
//! started again with epochs of an hour before it is put, and absorbing waits for epochs.

use std::path::Path;
use std::time::Duration;

use crate::views::options::{Options, Size};
use crate::views::records::Records;
use crate::views::subject::{Start, Subject, ViewsBenchError, wrong};

/// The view whose records are all in its batch layer, and its stream.
pub const BATCH: &str = "in_batch";
/// The view that has some in its speed layer, and its stream.
pub const MERGED: &str = "in_both";

/// Both views, on a server that runs.
pub struct Standing {
    /// The server.
    pub subject: Subject,
    /// The records.
    pub records: Records,
    /// How many of them.
    pub size: Size,
}

impl Standing {
    /// Makes and fills both views.
    pub async fn set_up(
        options: &Options,
        directory: &Path,
        size: Size,
    ) -> Result<Standing, ViewsBenchError> {
        let mut start = Start {
            program: options.program.clone(),
            directory: directory.to_owned(),
            epoch: Duration::from_secs(1),
        };
        let subject = Subject::start(&start).await?;
        let records = Records::over(size.groups);
        let before = size.records - size.behind();
        for (view, count) in [(BATCH, size.records), (MERGED, before)] {
            subject.create_stream(view).await?;
            subject.create_view(view, view, "1 second").await?;
            subject.fill(records, view, 0..count).await?;
        }
        for (view, count) in [(BATCH, size.records), (MERGED, before)] {
            subject.wait_until_absorbed(view, count).await?;
        }
        subject.kill().await?;
        start.epoch = Duration::from_secs(3600);
        let subject = Subject::start(&start).await?;
        subject.wait_for(BATCH, size.records).await?;
        subject.fill(records, MERGED, before..size.records).await?;
        subject.wait_for(MERGED, size.records).await?;
        let totals = records.totals(0..size.records);
        subject.check(BATCH, totals).await?;
        subject.check(MERGED, totals).await?;
        Ok(Standing {
            subject,
            records,
            size,
        })
    }

    /// Ends it; fails when something was absorbed meanwhile.
    pub async fn end(self) -> Result<(), ViewsBenchError> {
        let before = self.size.records - self.size.behind();
        let absorbed = self.subject.absorbed(MERGED)?;
        self.subject.kill().await?;
        match absorbed == before {
            true => Ok(()),
            false => Err(wrong(format!(
                "the batch view has {absorbed} records and not {before}: the speed layer did not stay"
            ))),
        }
    }
}
