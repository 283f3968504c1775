//! What passes between an environment's task and its process's connections: [`Conversation`].
//!
//! What must hold: the lock is never held across an await; the task learns of everything that ends a
//! phase (the process asks for work, or reports that it cannot start) by being woken; work is never
//! lost between the two: what no call waits for lies ready for the next one.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use tidemill_model::Timestamp;

use crate::exchange::{Call, Exchange, Refusal, Ticket};

/// What a process is given to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// What its answer must name.
    pub ticket: Ticket,
    /// When it is killed.
    pub deadline: Timestamp,
    /// The function's ARN as it was invoked.
    pub function: String,
    /// The trace this belongs to.
    pub trace_id: String,
    /// The client context, decoded.
    pub client_context: Option<String>,
    /// The payload.
    pub payload: Bytes,
}

/// What a process answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The function's result.
    Response(Bytes),
    /// The function's error, or the runtime's.
    Error {
        /// Its type, as the header says it.
        kind: String,
        /// Its report: JSON, by custom.
        report: Bytes,
    },
    /// A result that is larger than AWS allows; its bytes are gone.
    TooLarge,
}

#[derive(Debug, Default)]
struct State {
    exchange: Exchange,
    /// The call that waits for work, and its number.
    asking: Option<(u64, oneshot::Sender<Work>)>,
    asks: u64,
    /// Work that no call waited for.
    ready: Option<Work>,
    answer: Option<Answer>,
}

/// The two ends' common ground; one for each started process.
#[derive(Debug, Default)]
pub struct Conversation {
    state: Mutex<State>,
    changed: Notify,
}

impl Conversation {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Hands work to the process, which has got through its initialization.
    pub fn give(&self, work: Work) {
        let mut state = self.lock();
        debug_assert!(state.ready.is_none(), "one piece of work at a time");
        let Some((_, sender)) = state.asking.take().filter(|_| state.exchange.is_asking()) else {
            state.ready = Some(work);
            return;
        };
        let ticket = work.ticket.clone();
        match sender.send(work) {
            Ok(()) => state.exchange.given(ticket),
            Err(work) => {
                state.exchange.abandoned();
                state.ready = Some(work);
            }
        }
    }

    /// Completes when the process waits for work, or has reported that it cannot start; says which.
    pub async fn asks(&self) -> bool {
        loop {
            let state = {
                let state = self.lock();
                (state.exchange.is_asking(), state.exchange.has_failed())
            };
            match state {
                (true, _) => return true,
                (_, true) => return false,
                (false, false) => self.changed.notified().await,
            }
        }
    }

    /// The answer to the last work, or the report of why it cannot start; once.
    pub fn take_answer(&self) -> Option<Answer> {
        self.lock().answer.take()
    }

    /// A call for work.
    pub fn next(self: &Arc<Self>) -> Result<Asking, Refusal> {
        let mut state = self.lock();
        state.exchange.called(Call::Next)?;
        state.asks += 1;
        let (sender, work) = oneshot::channel();
        let number = state.asks;
        match state.ready.take() {
            Some(ready) => {
                state.exchange.given(ready.ticket.clone());
                // The receiver is in this function: the work cannot get lost.
                drop(sender.send(ready));
            }
            None => {
                state.asking = Some((number, sender));
                self.changed.notify_one();
            }
        }
        drop(state);
        Ok(Asking {
            conversation: Arc::clone(self),
            number,
            work,
        })
    }

    /// An answer to the work that `request_id` names.
    pub fn answer(
        &self,
        request_id: &str,
        invocation_id: Option<&str>,
        answer: Answer,
    ) -> Result<(), Refusal> {
        let mut state = self.lock();
        state.exchange.called(Call::Answer {
            request_id,
            invocation_id,
        })?;
        state.answer = Some(answer);
        Ok(())
    }

    /// The report that the process cannot start.
    pub fn init_error(&self, kind: String, report: Bytes) -> Result<(), Refusal> {
        let mut state = self.lock();
        state.exchange.called(Call::InitError)?;
        state.answer = Some(Answer::Error { kind, report });
        self.changed.notify_one();
        Ok(())
    }

    fn abandoned(&self, number: u64) {
        let mut state = self.lock();
        if state
            .asking
            .as_ref()
            .is_some_and(|(asking, _)| *asking == number)
        {
            state.asking = None;
            state.exchange.abandoned();
        }
    }
}

/// A call that waits for work. Dropping it takes the call back.
#[derive(Debug)]
pub struct Asking {
    conversation: Arc<Conversation>,
    number: u64,
    work: oneshot::Receiver<Work>,
}

impl Asking {
    /// The work; none when the environment is being ended.
    pub async fn work(&mut self) -> Option<Work> {
        (&mut self.work).await.ok()
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.conversation.abandoned(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(request_id: &str) -> Work {
        Work {
            ticket: Ticket {
                request_id: request_id.into(),
                invocation_id: "i".into(),
            },
            deadline: Timestamp::from_millis(5),
            function: "arn".into(),
            trace_id: "trace".into(),
            client_context: None,
            payload: Bytes::from_static(b"{}"),
        }
    }

    #[tokio::test]
    async fn work_reaches_the_waiting_call_and_its_answer_comes_back() {
        let conversation = Arc::new(Conversation::default());
        let mut asking = conversation.next().expect("the first call");
        assert!(conversation.asks().await);
        conversation.give(work("r"));
        assert_eq!(asking.work().await, Some(work("r")));
        drop(asking);
        let response = Answer::Response(Bytes::from_static(b"1"));
        assert_eq!(conversation.answer("r", None, response.clone()), Ok(()));
        let _asking = conversation.next().expect("the second call");
        assert!(conversation.asks().await);
        assert_eq!(conversation.take_answer(), Some(response));
    }

    #[tokio::test]
    async fn work_given_while_no_call_waits_is_there_for_the_next_one() {
        let conversation = Arc::new(Conversation::default());
        drop(conversation.next().expect("the first call"));
        conversation.give(work("r"));
        let mut asking = conversation.next().expect("a call after a lost connection");
        assert_eq!(asking.work().await, Some(work("r")));
    }

    #[tokio::test]
    async fn a_report_that_it_cannot_start_wakes_the_task() {
        let conversation = Conversation::default();
        conversation
            .init_error("Runtime.X".into(), Bytes::new())
            .expect("before the first call");
        assert!(!conversation.asks().await);
        assert!(conversation.take_answer().is_some());
    }
}
