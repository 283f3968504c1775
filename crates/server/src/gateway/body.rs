//! Reading bodies whole: [`Bodies`], one budget over all connections.
//!
//! What must hold: the bodies that are held at once have no more bytes than the budget, however many
//! connections send them and however slowly; a header alone takes none of it. A body for which there is
//! no room waits and its client is not read from; after a while it is refused, so that bodies which
//! wait for each other's room come to an end. One that is too large for any operation is refused
//! before more of it is kept.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use tidemill_model::Clock;

/// Largest body of any request: CreateFunction's, 70,167,211 bytes, as the service's own refusal
/// says (`Request must be smaller than 70167211 bytes for the CreateFunction operation`).
pub const BODY_BYTES_MAX: usize = 70_167_211;
/// How many bytes of bodies are held at once, those of requests that are worked on included.
const BODIES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How much is allocated for a body ahead of what has arrived.
const BODY_BYTES_RESERVED_MAX: usize = 1024 * 1024;
/// Memory of bodies that is kept for others: at most so many pieces, each as large as is allocated ahead.
/// New memory of that size is cleared by the system each time, which takes longer than reading into it.
const SPARE_PIECES_MAX: usize = 8;
/// Smaller bodies are left to the allocator.
const SPARE_BYTES_MIN: usize = 64 * 1024;
/// How much of a body that is too large is read before the connection is cut.
const BODY_BYTES_READ_MAX: usize = 2 * BODY_BYTES_MAX;
/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(120);
/// How long a part of a body waits for room.
const ROOM_TIME_MAX: Duration = Duration::from_secs(10);

const _: () = assert!(2 * BODY_BYTES_MAX <= BODIES_BYTES_MAX);

/// The bodies of all connections.
pub struct Bodies {
    room: Arc<Semaphore>,
    spare: Mutex<Vec<BytesMut>>,
    clock: Arc<dyn Clock>,
}

/// A body, and the room it takes until this is dropped.
pub struct Whole {
    /// The bytes.
    pub bytes: Bytes,
    /// The part of the budget they take.
    pub room: Room,
}

/// A part of the budget; given back when it is dropped.
#[derive(Default)]
pub struct Room(Option<OwnedSemaphorePermit>);

/// Why a body was not read.
#[derive(Debug, Error)]
pub enum Unread {
    /// It is larger than any operation takes.
    #[error("the body is larger than any operation takes")]
    TooLarge,
    /// The connection ended or broke the protocol.
    #[error("the body was cut")]
    Cut,
    /// It took too long.
    #[error("the body did not arrive in time")]
    Late,
    /// Other bodies took all the room for too long.
    #[error("too many large requests at once; try again")]
    NoRoom,
}

impl Bodies {
    /// No bodies yet; `clock` bounds how long each may take.
    pub fn new(clock: Arc<dyn Clock>) -> Bodies {
        Bodies::with_room(clock, BODIES_BYTES_MAX)
    }

    fn with_room(clock: Arc<dyn Clock>, bytes_max: usize) -> Bodies {
        Bodies {
            room: Arc::new(Semaphore::new(bytes_max)),
            spare: Mutex::default(),
            clock,
        }
    }

    /// Takes back the memory of a body that has been dealt with, unless somebody still has a part of it.
    pub fn take_back(&self, bytes: Bytes) {
        let is_fit = |bytes: usize| (SPARE_BYTES_MIN..=BODY_BYTES_RESERVED_MAX).contains(&bytes);
        if !is_fit(bytes.len()) {
            return;
        }
        let Ok(mut piece) = bytes.try_into_mut() else {
            return;
        };
        piece.clear();
        let mut spare = self.spare.lock().expect("no holder of this lock panics");
        if spare.len() < SPARE_PIECES_MAX && is_fit(piece.capacity()) {
            spare.push(piece);
        }
    }

    /// Memory for a body of `bytes`: some that was taken back, or new.
    fn piece(&self, bytes: usize) -> BytesMut {
        let bytes = bytes.min(BODY_BYTES_RESERVED_MAX);
        if bytes >= SPARE_BYTES_MIN {
            let mut spare = self.spare.lock().expect("no holder of this lock panics");
            let found = spare.iter().rposition(|piece| piece.capacity() >= bytes);
            if let Some(found) = found {
                return spare.swap_remove(found);
            }
        }
        BytesMut::with_capacity(bytes)
    }

    /// The whole of `body`. Of one that is too large some more is read and thrown away, so that the
    /// client hears the answer instead of a broken pipe.
    pub async fn read<B: Body<Data = Bytes> + Unpin>(&self, body: B) -> Result<Whole, Unread> {
        self.within(BODY_TIME_MAX, self.read_on(body))
            .await
            .unwrap_or(Err(Unread::Late))
    }

    /// What `work` gives, unless it takes longer than `duration`. What need not wait asks for no clock.
    async fn within<T>(&self, duration: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let at_once = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
        if let Poll::Ready(given) = at_once {
            return Some(given);
        }
        tokio::select! {
            biased;
            given = work => Some(given),
            () = self.clock.sleep_until(self.clock.now().plus(duration)) => None,
        }
    }

    async fn read_on<B: Body<Data = Bytes> + Unpin>(&self, mut body: B) -> Result<Whole, Unread> {
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let (mut kept, mut room) = (BytesMut::new(), Room::default());
        let mut seen = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unread::Cut)?.into_data() else {
                continue;
            };
            seen += data.len();
            if seen > BODY_BYTES_MAX {
                (kept, room) = (BytesMut::new(), Room::default());
                if seen > BODY_BYTES_READ_MAX {
                    break;
                }
                continue;
            }
            self.extend(&mut room, data.len()).await?;
            if seen == data.len() {
                if body.is_end_stream() {
                    // A body that came in one piece is not copied.
                    return Ok(Whole { bytes: data, room });
                }
                kept = self.piece(expected);
            }
            kept.extend_from_slice(&data);
        }
        if seen > BODY_BYTES_MAX {
            return Err(Unread::TooLarge);
        }
        let bytes = kept.freeze();
        Ok(Whole { bytes, room })
    }

    /// Makes `room` larger by `bytes`.
    async fn extend(&self, room: &mut Room, bytes: usize) -> Result<(), Unread> {
        let bytes =
            u32::try_from(bytes).expect("a part of a body is no larger than the largest body");
        let acquired = Arc::clone(&self.room).acquire_many_owned(bytes);
        let more = self.within(ROOM_TIME_MAX, acquired).await;
        let more = more
            .ok_or(Unread::NoRoom)?
            .expect("the budget is never closed");
        match &mut room.0 {
            Some(taken) => taken.merge(more),
            None => room.0 = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::{Frame, SizeHint};

    use super::*;
    use crate::gateway::hand::Hand;

    /// A body whose parts have arrived, and that ends behind them or never does.
    struct Parts {
        left: Vec<Bytes>,
        ends: bool,
    }

    fn parts(sizes: &[usize], ends: bool) -> Parts {
        let left = sizes
            .iter()
            .rev()
            .map(|size| Bytes::from(vec![b'x'; *size]));
        Parts {
            left: left.collect(),
            ends,
        }
    }

    impl Body for Parts {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.left.pop() {
                Some(part) => Poll::Ready(Some(Ok(Frame::data(part)))),
                None if self.ends => Poll::Ready(None),
                None => Poll::Pending,
            }
        }

        fn is_end_stream(&self) -> bool {
            self.ends && self.left.is_empty()
        }

        fn size_hint(&self) -> SizeHint {
            let left = self.left.iter().map(|part| part.len() as u64);
            SizeHint::with_exact(left.sum())
        }
    }

    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_body_is_read_in_one_piece_or_in_many() {
        let bodies = Bodies::new(Arc::new(Hand::new()));
        for (sizes, bytes) in [(vec![], 0), (vec![5], 5), (vec![5, 0, 7], 12)] {
            let whole = bodies.read(parts(&sizes, true)).await.unwrap();
            assert_eq!(whole.bytes.len(), bytes);
            assert_eq!(bodies.room.available_permits(), BODIES_BYTES_MAX - bytes);
        }
        assert_eq!(bodies.room.available_permits(), BODIES_BYTES_MAX);
    }

    #[tokio::test]
    async fn the_memory_of_a_large_body_is_used_again_once_nobody_has_a_part_of_it() {
        let bodies = Bodies::new(Arc::new(Hand::new()));
        let read = async |sizes: &[usize]| bodies.read(parts(sizes, true)).await.unwrap().bytes;
        let spare = || bodies.spare.lock().unwrap().len();
        let first = read(&[100_000, 200_000]).await;
        let part = first.slice(7..9);
        bodies.take_back(first);
        assert_eq!(spare(), 0, "{part:?} is a part of it");
        let second = read(&[100_000, 200_000]).await;
        let place = second.as_ptr();
        bodies.take_back(second);
        assert_eq!(spare(), 1);
        assert_ne!(read(&[100, 100]).await.as_ptr(), place);
        let third = read(&[100_000, 150_000]).await;
        assert_eq!((third.as_ptr(), third.len()), (place, 250_000));
        assert_eq!(spare(), 0);
        for _ in 0..2 * SPARE_PIECES_MAX {
            bodies.take_back(Bytes::from(vec![0; SPARE_BYTES_MIN]));
        }
        bodies.take_back(Bytes::from(vec![0; 2 * BODY_BYTES_RESERVED_MAX]));
        assert_eq!(spare(), SPARE_PIECES_MAX);
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_takes_no_room() {
        let bodies = Bodies::new(Arc::new(Hand::new()));
        let largest = bodies.read(parts(&[BODY_BYTES_MAX - 1, 1], true)).await;
        assert_eq!(largest.unwrap().bytes.len(), BODY_BYTES_MAX);
        for ends in [true, false] {
            let read = bodies.read(parts(&[BODY_BYTES_MAX, 1, BODY_BYTES_MAX], ends));
            assert!(matches!(read.await, Err(Unread::TooLarge)));
            assert_eq!(bodies.room.available_permits(), BODIES_BYTES_MAX);
        }
    }

    #[tokio::test]
    async fn slow_bodies_of_many_connections_share_one_budget_and_come_to_an_end() {
        let hand = Hand::new();
        let bodies = Arc::new(Bodies::with_room(Arc::new(hand.clone()), 100));
        let read = |body: Parts| {
            let bodies = Arc::clone(&bodies);
            tokio::spawn(async move { bodies.read(body).await })
        };
        let slow = [read(parts(&[40], false)), read(parts(&[40], false))];
        settle().await;
        let waiting = read(parts(&[10, 20], true));
        settle().await;
        assert!(!waiting.is_finished());
        hand.advance(ROOM_TIME_MAX);
        assert!(matches!(waiting.await.unwrap(), Err(Unread::NoRoom)));
        let patient = read(parts(&[30], true));
        settle().await;
        hand.advance(ROOM_TIME_MAX / 2);
        slow[0].abort();
        assert_eq!(patient.await.unwrap().unwrap().bytes.len(), 30);
        hand.advance(BODY_TIME_MAX);
        let [_, late] = slow;
        assert!(matches!(late.await.unwrap(), Err(Unread::Late)));
        assert_eq!(bodies.room.available_permits(), 100);
    }
}
