//! One way to import each thing: no crate re-exports another crate of the workspace.

use super::finding::Finding;
use super::source::SourceFile;

/// Finds every `pub use` of another crate of the workspace.
pub fn check(file: &SourceFile) -> Vec<Finding> {
    let tokens = file.tokens();
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let public = at > 0 && matches!(tokens[at - 1].text, "pub" | ")");
        if token.text != "use" || !public {
            continue;
        }
        for path in super::paths::paths_at(&tokens, at + 1).0 {
            if path.segments[0].starts_with("tidemill_") {
                findings.push(Finding::new(
                    &file.path,
                    path.line,
                    format!(
                        "`{}` is re-exported from another crate",
                        path.segments.join("::")
                    ),
                    format!("let the users import it from `{}`", path.segments[0]),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_crates_own_things_are_re_exported() {
        let cases = [
            ("pub use port::Log;", 0),
            ("use tidemill_model::Clock;", 0),
            ("pub use tidemill_model::Clock;", 1),
            ("pub(crate) use tidemill_model::{Clock, Entropy};", 2),
        ];
        for (text, count) in cases {
            assert_eq!(check(&SourceFile::new("a.rs", text)).len(), count, "{text}");
        }
    }
}
