//! Which operation a method and a path name: [`route`].

use percent_encoding::percent_decode_str;
use tidemill_shapes::lambda::{self, Operation};
use tidemill_shapes::rest::Binding;

use crate::request::Request;

/// The operation a request names, and the labels of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The operation; may be one that is not supported.
    pub operation: Operation,
    /// How it is bound to HTTP.
    pub binding: &'static Binding,
    /// The labels of the path, decoded.
    pub labels: Vec<(&'static str, String)>,
}

/// The route of `request`, or `None` when no operation of Lambda has its method and path.
///
/// A trailing slash is ignored: clients made from older models send it. Where several bindings fit, the
/// one with most literal parts wins.
pub fn route(request: &Request<'_>) -> Option<Route> {
    let path = request.uri.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<&str> = path.split('/').collect();
    let fits = |binding: &'static Binding| {
        let (pattern, query) = binding.path.split_once('?').unwrap_or((binding.path, ""));
        let method_fits = binding.method == request.method.as_str();
        if !method_fits || !query_fits(request, query) {
            return None;
        }
        let labels = labels(pattern, &segments)?;
        let labelled = pattern.matches('{').count();
        let literal = pattern.matches('/').count() - labelled + usize::from(!query.is_empty());
        Some((literal, binding, labels))
    };
    let best = lambda::BINDINGS
        .iter()
        .filter_map(fits)
        .max_by_key(|(literal, _, _)| *literal);
    let (_, binding, labels) = best?;
    Some(Route {
        operation: Operation::from_name(binding.operation)?,
        binding,
        labels,
    })
}

fn query_fits(request: &Request<'_>, demanded: &str) -> bool {
    let (name, value) = demanded.split_once('=').unwrap_or((demanded, ""));
    name.is_empty() || request.query_value(name).as_deref() == Some(value)
}

/// The labels of `pattern` in a path's segments, or `None` when it does not fit. A label takes one
/// segment that is not empty; one marked with `+` takes as many as leave enough for the rest.
fn labels(pattern: &'static str, segments: &[&str]) -> Option<Vec<(&'static str, String)>> {
    let wanted: Vec<&'static str> = pattern.split('/').collect();
    let mut labels = Vec::new();
    let mut at = 0;
    for (index, part) in wanted.iter().enumerate() {
        let Some(label) = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
        else {
            if segments.get(at) != Some(part) {
                return None;
            }
            at += 1;
            continue;
        };
        let taken = match label.strip_suffix('+') {
            Some(_) => segments
                .len()
                .checked_sub(at + (wanted.len() - index - 1))?,
            None => 1,
        };
        let text = segments.get(at..at + taken)?.join("/");
        if text.is_empty() {
            return None;
        }
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        labels.push((label.trim_end_matches('+'), decoded));
        at += taken;
    }
    (at == segments.len()).then_some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_takes_one_segment_or_with_a_plus_many() {
        let cases = [
            ("/a/{X}", "/a/b", Some("b")),
            ("/a/{X}", "/a/b%3Ac%2Fd", Some("b:c/d")),
            ("/a/{X}", "/a/b/c", None),
            ("/a/{X}", "/a/", None),
            ("/a/{X}", "/a", None),
            ("/a/{X+}", "/a/b/c", Some("b/c")),
            ("/a/{X+}/z", "/a/b/c/z", Some("b/c")),
            ("/a/{X+}/z", "/a/z", None),
        ];
        for (pattern, path, expected) in cases {
            let segments: Vec<&str> = path.split('/').collect();
            let expected = expected.map(|text| vec![("X", text.to_owned())]);
            assert_eq!(labels(pattern, &segments), expected, "{pattern} {path}");
        }
    }
}
