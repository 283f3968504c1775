//! Walking through the frames of one file, and judging where they end.
//!
//! What must hold: a tail is dropped only when a power cut explains it: one write was on its way, or two,
//! the second of which says so. So nothing valid stands behind the first but the second, nothing at all
//! behind that, and each sector is either what was written or still zero. Anything else was damaged after
//! it had been written, perhaps after it had been acknowledged. Pure: the bytes of the file come in.

use crate::frame::{
    BLOCK_BYTES, BadFrame, Chain, FrameHeader, FrameKind, SECTOR_BYTES, count_zero_sectors, is_zero,
};
use crate::limits::FRAMES_ON_THEIR_WAY_MAX;

/// What may be torn at the end of the log is judged as one frame, or two.
const _: () = assert!(FRAMES_ON_THEIR_WAY_MAX == 2);

/// The frame at `offset` of the file `bytes`, when it is the one that `chain` asks for.
pub fn frame_at(bytes: &[u8], offset: usize, chain: &Chain) -> Result<FrameHeader, BadFrame> {
    let rest = bytes.get(offset..).unwrap_or_default();
    let header = FrameHeader::decode(rest)?;
    header.check_place(chain)?;
    header.check_content(rest)?;
    Ok(header)
}

/// The first frame at or behind `offset` that is valid by itself, belongs to the file of `chain`, and
/// was not written before the frame that `chain` asks for.
pub fn next_valid(bytes: &[u8], offset: usize, chain: &Chain) -> Option<(usize, FrameHeader)> {
    (offset..bytes.len())
        .step_by(BLOCK_BYTES)
        .find_map(|offset| {
            let header = FrameHeader::decode(&bytes[offset..]).ok()?;
            let is_later = header.salt == chain.salt && header.lsn >= chain.lsn;
            (is_later && header.check_content(&bytes[offset..]).is_ok()).then_some((offset, header))
        })
}

/// Whether any block of the file `bytes` begins a valid frame of commands.
pub fn holds_commands(bytes: &[u8]) -> bool {
    (BLOCK_BYTES..bytes.len())
        .step_by(BLOCK_BYTES)
        .any(|offset| {
            let rest = &bytes[offset..];
            FrameHeader::decode(rest).is_ok_and(|header| {
                header.kind == FrameKind::Commands && header.check_content(rest).is_ok()
            })
        })
}

/// How the frames of the newest file end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// With the file, or with the zeros that are written ahead of its frames.
    Clean,
    /// With a write that a power cut tore; nothing of it was acknowledged.
    Torn,
    /// With something that was written whole and is no longer what was written.
    Damaged(String),
}

/// Judges what stands at `offset`, where no frame that `chain` asks for does. When frames were
/// acknowledged `unsynced`, a power cut may have kept later ones and lost earlier ones.
pub fn judge(bytes: &[u8], offset: usize, chain: &Chain, unsynced: bool) -> Tail {
    let rest = bytes.get(offset..).unwrap_or_default();
    if is_zero(rest) {
        return Tail::Clean;
    }
    if unsynced {
        return Tail::Torn;
    }
    let behind = next_valid(bytes, offset + BLOCK_BYTES, chain);
    if let Some((later, header)) = &behind
        && !is_last_beside(bytes, *later, header, chain)
    {
        let detail = format!("frame {} behind it, at {later}, is valid", header.lsn);
        return Tail::Damaged(detail);
    }
    if rest.len() < SECTOR_BYTES || is_zero(&rest[..SECTOR_BYTES]) {
        return Tail::Torn;
    }
    let header =
        FrameHeader::decode(rest).and_then(|header| header.check_place(chain).map(|()| header));
    match header {
        Err(bad) => Tail::Damaged(bad.to_string()),
        Ok(header) => match behind {
            Some((later, next)) if !is_next(&header, offset, &next, later) => Tail::Damaged(
                format!("what stands behind it, at {later}, does not follow it"),
            ),
            Some(_) | None => judge_content(rest, &header),
        },
    }
}

/// Whether the valid frame with `header` at `later` may stand behind one that is torn: it was begun
/// beside the one that `chain` asks for, and is the last that was begun.
fn is_last_beside(bytes: &[u8], later: usize, header: &FrameHeader, chain: &Chain) -> bool {
    let end = later + header.frame_bytes as usize;
    header.is_beside && header.lsn == chain.lsn + 1 && is_zero(&bytes[end..])
}

/// Whether the frame with `next`, which stands at `later`, was made as the one behind that at `offset`.
fn is_next(header: &FrameHeader, offset: usize, next: &FrameHeader, later: usize) -> bool {
    later == offset + header.frame_bytes as usize && next.check_place(&header.next()).is_ok()
}

fn judge_content(rest: &[u8], header: &FrameHeader) -> Tail {
    let frame_bytes = header.frame_bytes as usize;
    match rest.get(..frame_bytes) {
        // The size of a file is synced together with the frame that extends it.
        None => Tail::Torn,
        Some(frame) if count_zero_sectors(frame) > header.zero_sectors => Tail::Torn,
        Some(_) => Tail::Damaged("all of it was written, and its checksum does not fit".to_owned()),
    }
}
