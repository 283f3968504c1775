//! Halves a batch that failed.
//!
//! What must hold: both halves together are the batch, in order; each is smaller than it and has not
//! been tried. So a poisoned record among `n` stands alone after at most `ceil(log2 n)` halvings.

use crate::piece::Piece;

/// The two halves of `piece`; the first is the larger by one when the count is odd.
///
/// # Panics
/// When the piece is a single record.
pub fn halves(piece: Piece) -> (Piece, Piece) {
    let mut first = piece.records;
    assert!(first.len() > 1, "a single record cannot be halved");
    let second = first.split_off(first.len().div_ceil(2));
    let half = |records| Piece::of(records).expect("a half of two or more is not empty");
    (half(first), half(second))
}
