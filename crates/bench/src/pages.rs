//! The page that floors answer GetRecords with: [`Page`].
//!
//! What must hold: it has as many bytes as a page of the same records has from our server, and each
//! answer is made anew from the records, in pieces, into memory that is used again.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::bodies;

/// A piece is sent once it has so many bytes: a few records, which stay in the processor's cache.
const PIECE_BYTES: usize = 128 << 10;

const BEGIN: &str = r#"{"MillisBehindLatest":1,"NextShardIterator":"AAAAAAAAAAHQT4fHmKHfrAlqnSBkDQGWNJwvSpQwXqlSkPo0vXMjNmYuGTK2I6MlzYsWuvHBtLbkmXrzRmXDKkjZkbRMxc9zDTWZqXdCRdSdcWlbHnvVfWWlPqDsgYWXcTUeQ1oEyL7RgF2iMEb3","Records":["#;
const BEFORE_DATA: &str = r#"{"ApproximateArrivalTimestamp":1764102015.123,"Data":""#;
const BEFORE_KEY: &str = r#"","PartitionKey":""#;
const BEFORE_NUMBER: &str = r#"","SequenceNumber":""#;
const NUMBER: &str = "49668899999999999999999999999999999999999999999999999999";
const BEHIND: &str = r#""}"#;
const END: &str = "]}";

/// Records, as a server has them in memory.
#[derive(Debug)]
pub struct Page {
    records: Vec<(Vec<u8>, String)>,
    bytes: usize,
}

impl Page {
    /// Of `count` records with `record_bytes` each.
    pub fn of(record_bytes: usize, count: u64) -> Page {
        let records = bodies::records(record_bytes, count);
        let record_bytes = |(data, key): &(Vec<u8>, String)| {
            let fixed = [BEFORE_DATA, BEFORE_KEY, BEFORE_NUMBER, NUMBER, BEHIND].map(str::len);
            let fixed: usize = fixed.into_iter().sum();
            fixed + base64_simd::STANDARD.encoded_length(data.len()) + key.len()
        };
        let sum: usize = records.iter().map(record_bytes).sum();
        let commas = records.len().saturating_sub(1);
        let bytes = BEGIN.len() + sum + commas + END.len();
        Page { records, bytes }
    }

    /// The answer in one piece.
    pub fn whole(&self) -> Bytes {
        let mut text = String::with_capacity(self.bytes);
        text.push_str(BEGIN);
        for index in 0..self.records.len() {
            self.push(&mut text, index);
        }
        text.push_str(END);
        text.into()
    }

    fn push(&self, text: &mut String, index: usize) {
        let (data, key) = &self.records[index];
        if index > 0 {
            text.push(',');
        }
        text.push_str(BEFORE_DATA);
        base64_simd::STANDARD.encode_append(data, text);
        for part in [BEFORE_KEY, key, BEFORE_NUMBER, NUMBER, BEHIND] {
            text.push_str(part);
        }
    }
}

/// A page on its way: what has been made of it so far.
pub struct PageBody {
    page: Arc<Page>,
    next: usize,
    left: usize,
}

impl PageBody {
    /// At the beginning of `page`.
    pub fn new(page: Arc<Page>) -> PageBody {
        let left = page.bytes;
        PageBody {
            page,
            next: 0,
            left,
        }
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut text = String::with_capacity(PIECE_BYTES + (PIECE_BYTES >> 3));
        if self.next == 0 {
            text.push_str(BEGIN);
        }
        while text.len() < PIECE_BYTES && self.next < self.page.records.len() {
            self.page.push(&mut text, self.next);
            self.next += 1;
        }
        if self.next == self.page.records.len() {
            text.push_str(END);
        }
        self.left -= text.len();
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_page_has_the_bytes_it_announces_in_pieces_as_in_whole() {
        for (record_bytes, count) in [(1024, 1), (10, 3), (1024, 700)] {
            let page = Arc::new(Page::of(record_bytes, count));
            let whole = page.whole();
            assert_eq!(whole.len(), page.bytes);
            let parsed: serde_json::Value = serde_json::from_slice(&whole).expect("is JSON");
            assert_eq!(
                parsed["Records"].as_array().map(Vec::len),
                Some(count as usize)
            );
            let pieces = PageBody::new(page).collect().await.expect("never fails");
            assert_eq!(pieces.to_bytes(), whole);
        }
    }
}
