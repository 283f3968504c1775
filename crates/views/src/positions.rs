//! Where records stand in a stream: [`Span`]s of positions, and how spans are written in a tag.
//!
//! ```text
//! 0:0-1500,1:200-700        shard:first-end, the end not included; sorted; neighbours joined
//! ```

use std::collections::BTreeMap;

use tidemill_model::ShardId;

/// One past the last position of each shard.
pub type Positions = BTreeMap<ShardId, u64>;

/// Positions of a shard, from the first to before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The shard.
    pub shard: ShardId,
    /// The first position.
    pub from: u64,
    /// One past the last position.
    pub to: u64,
}

impl Span {
    /// How many positions it has.
    pub fn count(&self) -> u64 {
        self.to - self.from
    }
}

/// The same positions, sorted, with neighbours joined and without empty spans.
pub fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if last.shard == span.shard && last.to == span.from => last.to = span.to,
            _ if span.count() == 0 => {}
            _ => joined.push(span),
        }
    }
    joined
}

/// The positions that stand in any of `spans`, each once: sorted, and without empty spans.
pub fn covered(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| span.from < span.to);
    spans.sort();
    let mut covered: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match covered.last_mut() {
            Some(last) if last.shard == span.shard && last.to >= span.from => {
                last.to = last.to.max(span.to);
            }
            _ => covered.push(span),
        }
    }
    covered
}

/// How many positions `spans` have together.
pub fn count(spans: &[Span]) -> u64 {
    spans.iter().map(Span::count).sum()
}

/// Spans as a tag.
pub fn written(spans: &[Span]) -> String {
    let spans = spans.iter().map(|span| {
        let Span { shard, from, to } = span;
        format!("{}:{from}-{to}", shard.0)
    });
    spans.collect::<Vec<_>>().join(",")
}

/// Positions as they are told and asked for: `0:1500,1:700`.
pub fn as_vector(positions: &Positions) -> String {
    let positions = positions.iter();
    let positions = positions.map(|(shard, position)| format!("{}:{position}", shard.0));
    positions.collect::<Vec<_>>().join(",")
}

/// The positions of a vector; none when it is not one that [`as_vector`] gives.
pub fn of_vector(text: &str) -> Option<Positions> {
    let mut positions = Positions::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (shard, position) = part.split_once(':')?;
        positions.insert(ShardId(shard.parse().ok()?), position.parse().ok()?);
    }
    (as_vector(&positions) == text).then_some(positions)
}

/// The spans of a tag; none when it is not one that [`written`] gives.
pub fn read(tag: &str) -> Option<Vec<Span>> {
    if tag.is_empty() {
        return Some(Vec::new());
    }
    let spans = tag.split(',').map(|span| {
        let (shard, ends) = span.split_once(':')?;
        let (from, to) = ends.split_once('-')?;
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        let shard = ShardId(shard.parse().ok()?);
        (from < to).then_some(Span { shard, from, to })
    });
    let spans: Vec<Span> = spans.collect::<Option<_>>()?;
    (written(&joined(spans.clone())) == tag).then_some(spans)
}

/// Whether `end` lies behind `wanted`, or at it, in every shard.
pub fn reaches(end: &Positions, wanted: &Positions) -> bool {
    let mut wanted = wanted.iter();
    wanted.all(|(shard, wanted)| end.get(shard).copied().unwrap_or(0) >= *wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(shard: u32, from: u64, to: u64) -> Span {
        let shard = ShardId(shard);
        Span { shard, from, to }
    }

    #[test]
    fn a_tag_is_read_as_it_was_written() {
        let spans = joined(vec![
            span(1, 9, 12),
            span(0, 0, 5),
            span(1, 3, 9),
            span(2, 7, 7),
            span(0, 6, 7),
        ]);
        assert_eq!(written(&spans), "0:0-5,0:6-7,1:3-12");
        assert_eq!(read("0:0-5,0:6-7,1:3-12"), Some(spans));
        assert_eq!(read(""), Some(vec![]));
    }

    #[test]
    fn what_overlaps_is_covered_once() {
        let spans = vec![
            span(0, 5, 9),
            span(1, 0, 1),
            span(0, 6, 7),
            span(0, 9, 12),
            span(0, 3, 3),
        ];
        assert_eq!(covered(spans), [span(0, 5, 12), span(1, 0, 1)]);
    }

    #[test]
    fn other_tags_are_refused() {
        let wrong = [
            "0",
            "0:1",
            "0:5-5",
            "0:5-4",
            "0:-1-4",
            "a:0-1",
            "1:0-1,0:0-1",
            "0:0-5,0:5-6",
            ",",
        ];
        for tag in wrong {
            assert_eq!(read(tag), None, "{tag}");
        }
    }

    #[test]
    fn a_vector_is_read_as_it_was_written() {
        let positions = Positions::from([(ShardId(1), 700), (ShardId(0), 1500)]);
        assert_eq!(as_vector(&positions), "0:1500,1:700");
        assert_eq!(of_vector("0:1500,1:700"), Some(positions));
        assert_eq!(of_vector(""), Some(Positions::new()));
        for text in ["0", "1:7,0:15", "0:1,0:2", "0:-1", "a:1", "0:1,"] {
            assert_eq!(of_vector(text), None, "{text}");
        }
    }
}
