//! The rules of the Runtime API: [`Exchange`], what a runtime may call when.
//!
//! One exchange is the life of one process: it initializes, asks for work, answers, asks again. What
//! must hold: work is answered at most once, and only under its own id; an answer to anything else is
//! refused and changes nothing. Pure: the bodies travel beside it.
//!
//! ```text
//! Initializing ─next─▶ Asking ─given─▶ Working ─response, error─▶ Answered ─next─▶ Asking
//!      └─init error─▶ Failed     └─abandoned─▶ Silent ─next─▶ Asking
//! ```

/// Where a process stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// It has been started and has not asked for work.
    Initializing,
    /// It has reported that it cannot start.
    Failed,
    /// It waits for work.
    Asking,
    /// It has asked once and no longer waits: its connection ended.
    Silent,
    /// It has work.
    Working(Ticket),
    /// It has answered and not asked again.
    Answered,
}

/// What an answer must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Id of the request; the same for each attempt at a queued invocation.
    pub request_id: String,
    /// Id of this one attempt.
    pub invocation_id: String,
}

/// A call of the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call<'a> {
    /// `GET /runtime/invocation/next`.
    Next,
    /// `POST /runtime/invocation/{id}/response` or `…/error`.
    Answer {
        /// The id in the path.
        request_id: &'a str,
        /// The header that names the attempt, when the client echoes it.
        invocation_id: Option<&'a str>,
    },
    /// `POST /runtime/init/error`.
    InitError,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The call does not fit where the process stands.
    StateTransition,
    /// The answer names no work of this process, or names it a second time.
    RequestId,
    /// The answer names the right request and another attempt.
    InvocationId,
}

/// The rules, and where one process stands in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    state: State,
}

impl Default for Exchange {
    fn default() -> Exchange {
        Exchange {
            state: State::Initializing,
        }
    }
}

impl Exchange {
    /// The runtime has made `call`.
    pub fn called(&mut self, call: Call<'_>) -> Result<(), Refusal> {
        self.state = match (&self.state, call) {
            (State::Initializing | State::Silent | State::Answered, Call::Next) => State::Asking,
            (State::Failed | State::Asking | State::Working(_), Call::Next) => {
                return Err(Refusal::StateTransition);
            }
            (
                State::Working(ticket),
                Call::Answer {
                    request_id,
                    invocation_id,
                },
            ) => {
                check(ticket, request_id, invocation_id)?;
                State::Answered
            }
            (State::Answered | State::Asking | State::Silent, Call::Answer { .. }) => {
                return Err(Refusal::RequestId);
            }
            (State::Initializing | State::Failed, Call::Answer { .. }) => {
                return Err(Refusal::StateTransition);
            }
            (State::Initializing, Call::InitError) => State::Failed,
            (
                State::Failed | State::Asking | State::Silent | State::Working(_) | State::Answered,
                Call::InitError,
            ) => return Err(Refusal::StateTransition),
        };
        Ok(())
    }

    /// Work has been handed to the waiting call.
    ///
    /// # Panics
    /// When no call waits.
    pub fn given(&mut self, ticket: Ticket) {
        assert!(
            self.is_asking(),
            "{ticket:?} given to a process that is {:?}",
            self.state
        );
        self.state = State::Working(ticket);
    }

    /// The call that waited is gone.
    pub fn abandoned(&mut self) {
        if self.is_asking() {
            self.state = State::Silent;
        }
    }

    /// Whether a call waits for work.
    pub fn is_asking(&self) -> bool {
        self.state == State::Asking
    }

    /// Whether the process has reported that it cannot start.
    pub fn has_failed(&self) -> bool {
        self.state == State::Failed
    }
}

fn check(ticket: &Ticket, request_id: &str, invocation_id: Option<&str>) -> Result<(), Refusal> {
    if ticket.request_id != request_id {
        return Err(Refusal::RequestId);
    }
    match invocation_id {
        Some(id) if id != ticket.invocation_id => Err(Refusal::InvocationId),
        _ => Ok(()),
    }
}

/// The error type that a runtime reports, or its general form when it is no such type.
///
/// `category` is `Function` or `Runtime`. A type is `Function.` or `Runtime.` and a word of letters
/// that begins with a capital.
pub fn error_type(reported: Option<&str>, category: &str) -> String {
    let legal = reported.is_some_and(|text| {
        let word = text
            .strip_prefix("Runtime.")
            .or_else(|| text.strip_prefix("Function."));
        word.is_some_and(|word| {
            let bytes = word.as_bytes();
            bytes.len() > 1
                && bytes[0].is_ascii_uppercase()
                && bytes.iter().all(u8::is_ascii_alphabetic)
        })
    });
    match reported {
        Some(text) if legal => text.to_owned(),
        _ => format!("{category}.Unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            request_id: "r".into(),
            invocation_id: "i".into(),
        }
    }

    const ANSWER: Call<'_> = Call::Answer {
        request_id: "r",
        invocation_id: None,
    };

    fn exchange(state: State) -> Exchange {
        Exchange { state }
    }

    #[test]
    fn every_call_is_allowed_or_refused_in_every_state() {
        use Refusal::{RequestId, StateTransition};
        let states = [
            State::Initializing,
            State::Failed,
            State::Asking,
            State::Silent,
            State::Working(ticket()),
            State::Answered,
        ];
        let transition = Err(StateTransition);
        let table: [(Call<'_>, [Result<State, Refusal>; 6]); 3] = [
            (
                Call::Next,
                [
                    Ok(State::Asking),
                    transition.clone(),
                    transition.clone(),
                    Ok(State::Asking),
                    transition.clone(),
                    Ok(State::Asking),
                ],
            ),
            (
                ANSWER,
                [
                    transition.clone(),
                    transition.clone(),
                    Err(RequestId),
                    Err(RequestId),
                    Ok(State::Answered),
                    Err(RequestId),
                ],
            ),
            (
                Call::InitError,
                [
                    Ok(State::Failed),
                    transition.clone(),
                    transition.clone(),
                    transition.clone(),
                    transition.clone(),
                    transition,
                ],
            ),
        ];
        for (call, expected) in table {
            for (state, expected) in states.iter().zip(expected) {
                let mut exchange = exchange(state.clone());
                let answer = exchange.called(call).map(|()| exchange.state.clone());
                assert_eq!(answer, expected, "{call:?} while {state:?}");
                assert!(
                    expected_unchanged(&exchange, state, &answer),
                    "a refused call changes nothing"
                );
            }
        }
    }

    fn expected_unchanged(
        exchange: &Exchange,
        before: &State,
        answer: &Result<State, Refusal>,
    ) -> bool {
        answer.is_ok() || exchange.state == *before
    }

    #[test]
    fn work_is_answered_under_its_own_ids_only() {
        let working = || exchange(State::Working(ticket()));
        let answer = |request_id, invocation_id| {
            working().called(Call::Answer {
                request_id,
                invocation_id,
            })
        };
        assert_eq!(answer("other", None), Err(Refusal::RequestId));
        assert_eq!(answer("r", Some("other")), Err(Refusal::InvocationId));
        assert_eq!(answer("r", Some("i")), Ok(()));
        assert_eq!(answer("r", None), Ok(()));
    }

    #[test]
    fn a_call_that_went_away_can_be_made_again() {
        let mut exchange = exchange(State::Asking);
        exchange.abandoned();
        assert!(!exchange.is_asking() && !exchange.has_failed());
        assert_eq!(exchange.called(Call::Next), Ok(()));
        exchange.given(ticket());
        exchange.abandoned();
        assert_eq!(exchange.called(ANSWER), Ok(()));
    }

    #[test]
    fn an_error_type_is_kept_only_in_its_form() {
        let cases = [
            (
                Some("Runtime.ImportModuleError"),
                "Runtime.ImportModuleError",
            ),
            (Some("Function.Gone"), "Function.Gone"),
            (Some("ValueError"), "Function.Unknown"),
            (Some("Runtime.bad"), "Function.Unknown"),
            (Some("Runtime.A1"), "Function.Unknown"),
            (None, "Function.Unknown"),
        ];
        for (reported, kept) in cases {
            assert_eq!(error_type(reported, "Function"), kept);
        }
    }
}
