//! What goes back to a client: [`Answer`], and [`Outgoing`], its body on the connection.
//!
//! What must hold: a body of events is made frame by frame as the client reads, so that one that does
//! not read holds a frame or two and no more; a client that goes takes its subscription with it; when
//! the server stops, such a body ends as it does after its time.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::{mpsc, watch};

use tidemill_model::BoxFuture;
use tidemill_protocol::event_stream;
use tidemill_protocol::response::Response;
use tidemill_shapes::kinesis::{SubscribeToShardEventStream, SubscribeToShardOutput};

use super::sending::{Sending, Unsent};

/// An answer, and what follows its body.
pub struct Answer {
    /// The head, and the body when nothing follows.
    pub response: Response,
    events: Option<Events>,
}

type Events = mpsc::Receiver<SubscribeToShardEventStream>;

impl From<Response> for Answer {
    fn from(response: Response) -> Answer {
        Answer {
            response,
            events: None,
        }
    }
}

impl Answer {
    /// One whose body is an event stream.
    pub fn events(events: Events) -> Answer {
        let first = event_stream::initial_response(&SubscribeToShardOutput {});
        Answer {
            response: Response::new(200, event_stream::MEDIA_TYPE, first),
            events: Some(events),
        }
    }

    /// The same answer with its head changed.
    #[must_use]
    pub fn map(self, change: impl FnOnce(Response) -> Response) -> Answer {
        Answer {
            response: change(self.response),
            events: self.events,
        }
    }

    /// As hyper sends it on the connection of `sending`; events end when `stop` says so.
    pub fn into_http(
        self,
        stop: &watch::Receiver<bool>,
        sending: &Arc<Sending>,
    ) -> hyper::Response<Outgoing> {
        let mut builder = hyper::Response::builder().status(self.response.status);
        for (name, value) in self.response.headers {
            builder = builder.header(name, value);
        }
        let first = self.response.body;
        let body = match self.events {
            None => Outgoing::Whole(sending.answer(first)),
            Some(events) => Outgoing::Events {
                first: Some(first),
                events,
                stopped: Box::pin(stopped(stop.clone())),
                sending: sending.clone(),
            },
        };
        builder
            .body(body)
            .expect("the status is one of HTTP's and the headers were checked when they were made")
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // When nobody can say so any more, the server has stopped.
    let _ = stop.wait_for(|stopping| *stopping).await;
}

/// The body of an answer.
pub enum Outgoing {
    /// All of it is there.
    Whole(Unsent),
    /// Frames of an event stream.
    Events {
        /// The frame that comes before all events.
        first: Option<Bytes>,
        /// What is still to come.
        events: Events,
        /// Completes when the server stops.
        stopped: BoxFuture<'static, ()>,
        /// Is told when a frame is sent.
        sending: Arc<Sending>,
    },
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Outgoing::Whole(body) => {
                Poll::Ready(body.next_part().map(|part| Ok(Frame::data(part))))
            }
            Outgoing::Events {
                first,
                events,
                stopped,
                sending,
            } => {
                if let Some(first) = first.take() {
                    return Poll::Ready(Some(Ok(Frame::data(first))));
                }
                if stopped.as_mut().poll(context).is_ready() {
                    return Poll::Ready(None);
                }
                events.poll_recv(context).map(|event| {
                    let frame = event_stream::frame(&event?);
                    sending.sent();
                    Some(Ok(Frame::data(frame)))
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Whole(body) => body.bytes_left() == 0,
            Outgoing::Events { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Whole(body) => SizeHint::with_exact(body.bytes_left() as u64),
            Outgoing::Events { .. } => SizeHint::default(),
        }
    }
}
