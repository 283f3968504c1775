//! The buffers that frames and batches are made in: [`Buffers`] gives them out again when nobody reads them any
//! more.
//!
//! What must hold: a buffer is given out while nothing refers to its old content; what is kept unused is
//! bounded, and given up when the log has come to rest. Why: memory that was never touched has to be found
//! by the system, page for page, and the committer would wait for that with each new frame. The buffers of
//! what was sorted come back together, so as much as is sorted at a time is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

/// A buffer grows in steps of this many bytes, so that those of frames about as large are alike.
const STEP_BYTES: usize = 8 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Buffers {
    unused: Mutex<Unused>,
    /// How much is kept.
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Unused {
    by_capacity: BTreeMap<usize, Vec<Vec<u8>>>,
    bytes: usize,
}

impl Unused {
    /// Takes the largest out until no more than `bytes_max` are left; gives those. What is asked for changes, and
    /// large ones must not keep all others out.
    fn make_room(&mut self, bytes_max: usize) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        while self.bytes > bytes_max {
            let mut largest = self.by_capacity.last_entry().expect("some bytes are kept");
            taken.extend(largest.get_mut().pop());
            if largest.get().is_empty() {
                largest.remove();
            }
            self.bytes -= taken.last().map_or(0, Vec::capacity);
        }
        taken
    }
}

impl Buffers {
    /// None yet; at most `bytes_max` are kept unused.
    pub fn new(bytes_max: usize) -> Buffers {
        Buffers {
            unused: Mutex::default(),
            bytes_max,
        }
    }

    /// An empty buffer with room for `bytes`.
    pub fn take(&self, bytes: usize) -> Vec<u8> {
        let mut unused = self.unused.lock().expect("no holder of this lock panics");
        let wanted = bytes.next_multiple_of(STEP_BYTES);
        let fitting = unused
            .by_capacity
            .range_mut(wanted..=wanted + wanted / 4)
            .next();
        let Some((capacity, alike)) = fitting else {
            drop(unused);
            return Vec::with_capacity(wanted);
        };
        let capacity = *capacity;
        let buffer = alike.pop().expect("an empty list is removed");
        if alike.is_empty() {
            unused.by_capacity.remove(&capacity);
        }
        unused.bytes -= capacity;
        buffer
    }

    /// `buffer` as bytes that can be shared. It comes back when the last of them is dropped.
    pub fn share(self: &Arc<Buffers>, buffer: Vec<u8>) -> Bytes {
        let buffers = Arc::clone(self);
        Bytes::from_owner(Shared { buffer, buffers })
    }

    /// Gives up what lies unused: for when the log has come to rest.
    pub fn give_back(&self) {
        let unused = {
            let mut unused = self.unused.lock().expect("no holder of this lock panics");
            std::mem::take(&mut *unused)
        };
        drop(unused);
    }

    /// Keeps `buffer`, which nobody reads any more.
    pub fn put_back(&self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let mut unused = self.unused.lock().expect("no holder of this lock panics");
        if capacity > self.bytes_max {
            return;
        }
        let given_up = unused.make_room(self.bytes_max - capacity);
        buffer.clear();
        unused.bytes += capacity;
        unused.by_capacity.entry(capacity).or_default().push(buffer);
        drop(unused);
        drop(given_up);
    }
}

struct Shared {
    buffer: Vec<u8>,
    buffers: Arc<Buffers>,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.buffers.put_back(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BUFFERS_BYTES_MAX;

    #[test]
    fn a_buffer_comes_back_when_its_last_reader_has_gone() {
        let buffers = Arc::new(Buffers::new(BUFFERS_BYTES_MAX));
        let mut buffer = buffers.take(5000);
        let place = buffer.as_ptr();
        buffer.extend([1; 5000]);
        let bytes = buffers.share(buffer);
        let slice = bytes.slice(10..20);
        drop(bytes);
        let other = buffers.take(5000);
        assert_ne!(other.as_ptr(), place, "it is still read");
        assert_eq!(*slice, [1; 10]);
        drop(slice);
        let again = buffers.take(6000);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn a_much_larger_buffer_is_not_given_for_few_bytes() {
        let buffers = Arc::new(Buffers::new(BUFFERS_BYTES_MAX));
        drop(buffers.share(buffers.take(100_000)));
        assert!(buffers.take(1000).capacity() < 100_000);
        assert!(buffers.take(90_000).capacity() >= 100_000);
    }

    #[test]
    fn large_buffers_do_not_keep_small_ones_out() {
        let buffers = Arc::new(Buffers::new(1 << 20));
        let large: Vec<_> = (0..2).map(|_| buffers.take(400 << 10)).collect();
        let small: Vec<_> = (0..4).map(|_| buffers.take(100 << 10)).collect();
        large
            .into_iter()
            .for_each(|buffer| buffers.put_back(buffer));
        let places: Vec<_> = small.iter().map(|buffer| buffer.as_ptr()).collect();
        small
            .into_iter()
            .for_each(|buffer| buffers.put_back(buffer));
        let again: Vec<_> = (0..4).map(|_| buffers.take(100 << 10)).collect();
        assert!(again.iter().all(|buffer| places.contains(&buffer.as_ptr())));
        buffers.put_back(Vec::with_capacity(2 << 20));
        let unused = buffers.unused.lock().unwrap();
        assert_eq!(unused.bytes, 400 << 10, "one of the large ones made room");
    }

    #[test]
    fn what_is_unused_is_bounded() {
        let buffers = Arc::new(Buffers::new(BUFFERS_BYTES_MAX));
        let taken = (0..BUFFERS_BYTES_MAX / 100_000 + 10).map(|_| buffers.take(100_000));
        let taken: Vec<_> = taken.collect();
        for buffer in taken {
            drop(buffers.share(buffer));
        }
        let unused = buffers.unused.lock().unwrap();
        assert!(unused.bytes <= BUFFERS_BYTES_MAX, "{}", unused.bytes);
        assert!(unused.bytes > BUFFERS_BYTES_MAX / 2, "{}", unused.bytes);
    }
}
