//! [`DetachOnDrop`]: work that is finished even when whoever awaits it goes.
//!
//! What must hold: work that has been begun is finished, by its waiter or, when that is dropped first, by
//! a task of its own; work that panics is not begun again. Why: hyper drops what it awaits when a client hangs
//! up, and a task for each request would cost all of them two more turns of the scheduler.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// See the module. Completes with what the work gives, or with what it panicked with.
pub struct DetachOnDrop<F: Future<Output: Send> + Send + 'static> {
    /// None when it is done.
    work: Option<Pin<Box<F>>>,
}

impl<F: Future<Output: Send> + Send + 'static> DetachOnDrop<F> {
    /// Not begun yet.
    pub fn new(work: F) -> DetachOnDrop<F> {
        DetachOnDrop {
            work: Some(Box::pin(work)),
        }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for DetachOnDrop<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.work.as_mut().expect("nobody polls what is done");
        // Whatever it leaves half done is dropped with it, or is as a task that panics would leave it.
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        let polled = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => Err(panic),
        };
        self.work = None;
        Poll::Ready(polled)
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for DetachOnDrop<F> {
    fn drop(&mut self) {
        // Without a runtime nothing can be finished any more: the server has ended.
        if let Some(work) = self.work.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use tokio::sync::{Notify, oneshot};

    use super::*;

    #[tokio::test]
    async fn what_is_awaited_to_its_end_needs_no_task() {
        let done = DetachOnDrop::new(async { 7 }).await;
        assert_eq!(done.expect("does not panic"), 7);
    }

    #[tokio::test]
    async fn work_goes_on_when_its_waiter_goes() {
        let (gate, (told, heard)) = (Arc::new(Notify::new()), oneshot::channel());
        let passed = Arc::clone(&gate);
        let mut waiter = Box::pin(DetachOnDrop::new(async move {
            passed.notified().await;
            told.send(7).expect("somebody listens");
        }));
        let begun = poll_fn(|context| Poll::Ready(waiter.as_mut().poll(context))).await;
        assert!(begun.is_pending());
        drop(waiter);
        gate.notify_one();
        assert_eq!(heard.await, Ok(7));
    }

    #[tokio::test]
    async fn work_that_panics_tells_its_waiter() {
        let work = async { panic!("as this test wants it") };
        let panicked = DetachOnDrop::<_>::new(work).await;
        let panic: Box<dyn Any + Send> = match panicked {
            Ok(never) => never,
            Err(panic) => panic,
        };
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"as this test wants it"));
    }
}
