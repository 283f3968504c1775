//! Lists whose elements' blobs and texts stand in one [`Arena`]: [`Packed`].
//!
//! What must hold: it is read, written and compared as a list of the elements would be. `generated/` says
//! which lists are packed, and how an element is. A slot means nothing without its arena, so it is read inside such
//! a list only.

use std::convert::Infallible;
use std::fmt;

use bytes::Bytes;
use serde::de::{Error, SeqAccess};
use serde::{Serialize, Serializer};

use crate::arena::{Arena, BlobSlot, TextSlot};
use crate::constraint::{Checker, Rules};
use crate::wire::{Field, FromWire, Token, base64_failure, text_expected};

/// An element whose blobs and texts are slots.
pub trait Pack: Sized {
    /// The same with what stands there.
    type Unpacked<'a>: Serialize + PartialEq + fmt::Debug;

    /// Puts `unpacked` into `arena`.
    fn pack(unpacked: Self::Unpacked<'_>, arena: &mut Arena) -> Self;

    /// With what stands in `arena`.
    fn unpack<'a>(&self, arena: &'a Arena) -> Self::Unpacked<'a>;
}

/// See the module.
#[derive(Clone)]
pub struct Packed<T> {
    elements: Vec<T>,
    arena: Arena,
}

impl<T> Default for Packed<T> {
    fn default() -> Packed<T> {
        Packed {
            elements: Vec::new(),
            arena: Arena::default(),
        }
    }
}

impl<T: Pack> Packed<T> {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Of `elements`, whose slots are of `arena`; none when what was put in there unread is no text.
    pub fn of(elements: Vec<T>, arena: Arena) -> Option<Packed<T>> {
        let arena = arena.read()?;
        Some(Packed { elements, arena })
    }

    /// The elements.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = T::Unpacked<'_>> {
        self.elements.iter().map(|each| each.unpack(&self.arena))
    }
}

impl<'a, T: Pack> FromIterator<T::Unpacked<'a>> for Packed<T> {
    fn from_iter<I: IntoIterator<Item = T::Unpacked<'a>>>(elements: I) -> Packed<T> {
        let mut arena = Arena::default();
        let elements = elements.into_iter();
        let elements = elements.map(|element| T::pack(element, &mut arena));
        Packed {
            elements: elements.collect(),
            arena,
        }
    }
}

impl<T: Pack> PartialEq for Packed<T> {
    fn eq(&self, other: &Packed<T>) -> bool {
        // The lifetimes of the two differ.
        self.len() == other.len()
            && self
                .iter()
                .zip(other.iter())
                .all(|(own, other)| own == other)
    }
}

impl<T: Pack> fmt::Debug for Packed<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

impl<T: Pack> Serialize for Packed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<T: Pack + FromWire> FromWire for Packed<T> {
    #[inline(always)]
    fn from_token(
        token: Token<'_>,
        rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<Packed<T>>, String> {
        Vec::<T>::from_token(token, rules, check).map(|_| Field::Broken)
    }

    fn from_list<'de, A: SeqAccess<'de>>(
        list: A,
        rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<Packed<T>>, A::Error> {
        let elements = Vec::<T>::from_list(list, rules, check)?;
        let arena = check.take_arena().read();
        let arena = arena.ok_or_else(|| A::Error::custom("no text"))?;
        Ok(match elements {
            Field::Absent => Field::Absent,
            Field::Broken => Field::Broken,
            Field::Given(elements) => Field::Given(Packed { elements, arena }),
        })
    }
}

/// Puts what `text` says in base64 into `arena`.
fn put_base64(
    arena: &mut Arena,
    text: &(impl AsRef<[u8]> + ?Sized),
) -> Result<BlobSlot, base64_simd::Error> {
    arena.put_blob(|blobs| {
        let text = text.as_ref();
        blobs.reserve(text.len() / 4 * 3);
        base64_simd::STANDARD.decode_append(text, blobs).map(drop)
    })
}

impl FromWire for BlobSlot {
    const IS_READ_AS_BYTES: bool = true;

    #[inline(always)]
    fn from_token(
        token: Token<'_>,
        rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<BlobSlot>, String> {
        let slot = match token {
            Token::Text(text) => {
                put_base64(check.arena(), text).map_err(|_| base64_failure(text))?
            }
            // Why it is none is found out where all of the body is read as text.
            Token::Unread(text) => put_base64(check.arena(), text).map_err(|_| String::new())?,
            Token::Bytes(bytes) => {
                let put = check.arena().put_blob(|blobs| {
                    blobs.extend_from_slice(bytes);
                    Ok::<_, Infallible>(())
                });
                let Ok(slot) = put;
                slot
            }
            // In the same words.
            other => return Bytes::from_token(other, rules, check).map(|_| Field::Broken),
        };
        check.length(rules, slot.bytes(), None);
        Ok(Field::Given(slot))
    }
}

impl FromWire for TextSlot {
    const IS_READ_AS_BYTES: bool = true;

    #[inline(always)]
    fn from_token(
        token: Token<'_>,
        rules: &Rules,
        check: &mut Checker,
    ) -> Result<Field<TextSlot>, String> {
        match token {
            Token::Text(text) => {
                check.text(rules, text);
                Ok(Field::Given(check.arena().put_text(text)))
            }
            Token::Unread(text) if rules.allow_unread(text) => {
                let slot = check.arena().put_unread(text);
                slot.map(Field::Given).ok_or_else(String::new)
            }
            Token::Unread(_) => Err(String::new()),
            other => Err(text_expected(&other)),
        }
    }
}
