//! Where the blobs and texts of a list are put together: [`Arena`], and the slots of what stands there.
//!
//! What must hold: what was put in is read back by its slot. Why: a request has up to 500 records, and a
//! piece of memory for each of their blobs and texts takes longer than decoding them. The memory of large
//! blobs is kept for the next arena of the thread: new memory is cleared by the system, which takes half as long
//! as decoding into it.

use std::cell::RefCell;

use crate::fast_json::is_plain;

/// Less memory than this is left to the allocator.
const SPARE_BYTES_MIN: usize = 64 * 1024;

/// A thread keeps no more than this for its next arena.
const SPARE_BYTES_MAX: usize = 1024 * 1024;

thread_local! {
    static SPARE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Blobs and texts, each kind one behind the other.
#[derive(Clone, Debug, Default)]
pub struct Arena {
    blobs: Vec<u8>,
    texts: String,
    /// Texts that nobody has looked at.
    unread: Vec<u8>,
}

/// Where a blob stands in its [`Arena`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobSlot {
    start: u32,
    end: u32,
}

/// Where a text stands in its [`Arena`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextSlot {
    start: u32,
    end: u32,
}

fn offset(offset: usize) -> u32 {
    u32::try_from(offset).expect("a body has less than 4 GiB")
}

impl Arena {
    /// Makes room for blobs of `bytes` together, where none is yet.
    #[inline]
    pub fn reserve_blobs(&mut self, bytes: usize) {
        if self.blobs.capacity() > 0 {
            return;
        }
        if (SPARE_BYTES_MIN..=SPARE_BYTES_MAX).contains(&bytes) {
            // A thread that ends keeps nothing.
            let spare = SPARE.try_with(RefCell::take).unwrap_or_default();
            if spare.capacity() >= bytes {
                self.blobs = spare;
                return;
            }
        }
        self.blobs.reserve_exact(bytes);
    }

    /// Makes room for texts of `bytes` more together that nobody has looked at.
    pub fn reserve_unread(&mut self, bytes: usize) {
        self.unread.reserve_exact(bytes);
    }

    /// Puts a blob in, which `append` puts behind what it is given; what a failure leaves there is cut off.
    ///
    /// # Panics
    /// When 4 GiB stand there.
    #[inline]
    pub fn put_blob<E>(
        &mut self,
        append: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<BlobSlot, E> {
        let start = self.blobs.len();
        if let Err(error) = append(&mut self.blobs) {
            self.blobs.truncate(start);
            return Err(error);
        }
        Ok(BlobSlot {
            start: offset(start),
            end: offset(self.blobs.len()),
        })
    }

    /// Puts a text in.
    ///
    /// # Panics
    /// When 4 GiB stand there.
    pub fn put_text(&mut self, text: &str) -> TextSlot {
        let start = offset(self.texts.len());
        self.texts.push_str(text);
        TextSlot {
            start,
            end: offset(self.texts.len()),
        }
    }

    /// Puts the bytes of a text in that nobody has looked at; none when they are no text. All texts of an arena are put
    /// in like this, or none is, and [`Arena::read`] is behind the last.
    ///
    /// # Panics
    /// When 4 GiB stand there.
    #[inline]
    pub fn put_unread(&mut self, text: &[u8]) -> Option<TextSlot> {
        // Where no text begins within a character, all texts are such if they are one together.
        if text.first().is_some_and(|byte| byte & 0xc0 == 0x80) {
            return None;
        }
        let start = offset(self.unread.len());
        self.unread.extend_from_slice(text);
        Some(TextSlot {
            start,
            end: offset(self.unread.len()),
        })
    }

    /// The same, with all texts looked at; none when one is no text of JSON.
    pub fn read(mut self) -> Option<Arena> {
        let unread = std::mem::take(&mut self.unread);
        if !unread.is_empty() {
            assert!(self.texts.is_empty(), "all texts are unread, or none is");
            self.texts = is_plain(&unread)
                .then(|| String::from_utf8(unread).ok())
                .flatten()?;
        }
        Some(self)
    }

    /// The blob at `slot`, which this arena gave.
    pub fn blob(&self, slot: BlobSlot) -> &[u8] {
        &self.blobs[slot.start as usize..slot.end as usize]
    }

    /// The text at `slot`, which this arena gave.
    pub fn text(&self, slot: TextSlot) -> &str {
        &self.texts[slot.start as usize..slot.end as usize]
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let mut blobs = std::mem::take(&mut self.blobs);
        if (SPARE_BYTES_MIN..=SPARE_BYTES_MAX).contains(&blobs.capacity()) {
            blobs.clear();
            let _ = SPARE.try_with(|spare| spare.replace(blobs));
        }
    }
}

impl BlobSlot {
    /// Size of the blob.
    pub fn bytes(&self) -> usize {
        (self.end - self.start) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_large_blobs_is_used_again() {
        let arena_of = |bytes| {
            let mut arena = Arena::default();
            arena.reserve_blobs(bytes);
            arena
        };
        let first = arena_of(100_000);
        let place = first.blobs.as_ptr();
        drop(first);
        let small = arena_of(100);
        assert_ne!(small.blobs.as_ptr(), place);
        let mut second = arena_of(90_000);
        assert_eq!((second.blobs.as_ptr(), second.blobs.len()), (place, 0));
        second.reserve_blobs(200_000);
        assert_eq!(second.blobs.as_ptr(), place, "it is reserved once");
        drop(arena_of(2_000_000));
        drop(second);
        assert_eq!(arena_of(100_000).blobs.as_ptr(), place);
    }

    #[test]
    fn what_was_put_in_is_read_back_and_what_failed_leaves_nothing() {
        let mut arena = Arena::default();
        let put = |arena: &mut Arena, bytes: &[u8], outcome: Result<(), ()>| {
            arena.put_blob(|blobs| {
                blobs.extend_from_slice(bytes);
                outcome
            })
        };
        let first = put(&mut arena, b"ab", Ok(())).expect("does not fail");
        put(&mut arena, b"xyz", Err(())).expect_err("fails");
        let none = put(&mut arena, b"", Ok(())).expect("does not fail");
        let last = put(&mut arena, b"cde", Ok(())).expect("does not fail");
        let blobs = [first, none, last].map(|slot| (arena.blob(slot), slot.bytes()));
        assert_eq!(blobs, [(&b"ab"[..], 2), (b"", 0), (b"cde", 3)]);
        let texts = ["é", "", "k"].map(|text| arena.put_text(text));
        assert_eq!(texts.map(|slot| arena.text(slot)), ["é", "", "k"]);
    }
}
