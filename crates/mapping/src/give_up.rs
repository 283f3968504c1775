//! Makes the message about a piece that is given up.
//!
//! What must hold: its id follows from mapping, shard and range alone, so that a queue that drops
//! copies shows a message once however often it is sent.

use sha2::{Digest, Sha256};

use tidemill_model::entropy::uuid_from;
use tidemill_model::given_up::{Condition, GivenUp, LastAnswer};
use tidemill_model::{SequenceNumber, Timestamp};

use crate::checkpoint::GivingUp;
use crate::config::Place;
use crate::piece::Piece;

/// The range of `piece` and the message about it, given up at `now`.
pub fn giving_up(
    place: &Place,
    piece: &Piece,
    condition: Condition,
    last_answer: Option<LastAnswer>,
    now: Timestamp,
) -> GivingUp {
    let (first, last) = (&piece.records[0], &piece.records[piece.records.len() - 1]);
    let (first_number, last_number) = (first.sequence_number, last.sequence_number);
    let derived = |salt| derived_id(salt, place, first_number, last_number);
    let message = GivenUp {
        message_id: derived("message"),
        // A batch that never reached the function still names a request.
        request_id: piece
            .request_id
            .clone()
            .unwrap_or_else(|| derived("request")),
        function: place.function.clone(),
        condition,
        approximate_invoke_count: piece.attempts.max(1),
        last_answer: match condition {
            Condition::RetryAttemptsExhausted => last_answer,
            Condition::RecordAgeExceeded => None,
        },
        at: now,
        stream: place.stream.clone(),
        shard: place.shard,
        first: first_number,
        last: last_number,
        first_arrival: first.arrival,
        last_arrival: last.arrival,
        batch_size: u32::try_from(piece.records.len()).expect("a batch has 10,000 records at most"),
    };
    GivingUp {
        from: piece.from(),
        to: piece.to(),
        message,
    }
}

fn derived_id(salt: &str, place: &Place, first: SequenceNumber, last: SequenceNumber) -> String {
    let text = format!("{salt}/{}/{}/{first}/{last}", place.uuid, place.shard);
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid_from(bytes)
}
