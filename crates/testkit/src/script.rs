//! Script tests: a story in a text file, with the answers it expects.
//!
//! ```text
//! # What this story shows.
//! directive and its arguments
//! another directive
//! ----
//! what they answered, one after the other
//!
//! directive
//! ----
//! ok
//! ```
//!
//! A stanza is one or more directive lines, `----`, and the expected answer up to the next blank line.
//! Comment lines (`#`) stand before the directives of a stanza or between stanzas. What must hold: the
//! answer to a stanza follows from the directives before it, so the same file gives the same answers
//! every time. With `UPDATE=1` in the environment the expected answers are rewritten to what was
//! answered; whoever does that reads the difference before committing it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const DIVIDER: &str = "----";

/// Directives and the answer that is expected of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stanza {
    /// Comment and blank lines before the directives, as they stand.
    preamble: Vec<String>,
    directives: Vec<String>,
    /// Line of the first directive, from 1.
    line: usize,
    expected: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Script {
    stanzas: Vec<Stanza>,
    /// Comment and blank lines behind the last stanza.
    epilogue: Vec<String>,
}

/// Runs every `*.txt` file in `directory`, in the order of their names. `start` makes a fresh story
/// teller for each file; it is called with one directive line at a time and gives the answer, which
/// may have several lines and must have no blank one.
///
/// # Panics
/// When an answer is not the expected one (with file, line and difference), when a file is not a
/// script, and when there is no file at all.
pub fn run_all<Teller>(directory: impl AsRef<Path>, mut start: impl FnMut() -> Teller)
where
    Teller: FnMut(&str) -> String,
{
    let directory = directory.as_ref();
    let files = script_files(directory);
    assert!(
        !files.is_empty(),
        "{} holds no *.txt script",
        directory.display()
    );
    let failures: Vec<String> = files
        .iter()
        .filter_map(|file| run_file(file, start(), should_update()).err())
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs one script file; see [`run_all`].
///
/// # Panics
/// As [`run_all`].
pub fn run(file: impl AsRef<Path>, teller: impl FnMut(&str) -> String) {
    if let Err(failure) = run_file(file.as_ref(), teller, should_update()) {
        panic!("{failure}");
    }
}

fn should_update() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

fn script_files(directory: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{} cannot be listed: {error}", directory.display()));
    let mut files: Vec<PathBuf> = listed
        .map(|entry| entry.expect("a listed file has a name").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}

fn run_file(
    file: &Path,
    mut teller: impl FnMut(&str) -> String,
    update: bool,
) -> Result<(), String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{}: cannot be read: {error}", file.display()))?;
    let mut script = parse(&text).map_err(|error| format!("{}:{error}", file.display()))?;
    let mut failures = String::new();
    for stanza in &mut script.stanzas {
        let answered = answer(stanza, &mut teller);
        if answered != stanza.expected {
            let place = format!("{}:{}", file.display(), stanza.line);
            failures.push_str(&difference(&place, stanza, &answered));
            stanza.expected = answered;
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    if update {
        return std::fs::write(file, print(&script))
            .map_err(|error| format!("{}: cannot be written: {error}", file.display()));
    }
    failures.push_str("run again with UPDATE=1 to take the answers over\n");
    Err(failures)
}

fn answer(stanza: &Stanza, teller: &mut impl FnMut(&str) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    for directive in &stanza.directives {
        let answered = teller(directive);
        for line in answered.lines().map(str::trim_end) {
            // A blank line would end the stanza when the script is read again.
            lines.push(if line.is_empty() {
                ".".to_owned()
            } else {
                line.to_owned()
            });
        }
    }
    lines
}

/// Reads a script; an error begins with the line number.
fn parse(text: &str) -> Result<Script, String> {
    let mut stanzas = Vec::new();
    let mut preamble = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        if line.trim().is_empty() || line.starts_with('#') {
            preamble.push(line.to_owned());
            continue;
        }
        let mut directives = vec![line.trim_end().to_owned()];
        loop {
            match lines.next() {
                Some((_, DIVIDER)) => break,
                Some((_, line)) if !line.trim().is_empty() => {
                    directives.push(line.trim_end().to_owned());
                }
                Some(_) | None => {
                    return Err(format!(
                        "{}: no {DIVIDER} follows this directive",
                        index + 1
                    ));
                }
            }
        }
        if directives[0] == DIVIDER {
            return Err(format!(
                "{}: no directive stands before {DIVIDER}",
                index + 1
            ));
        }
        let mut expected = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
            expected.push(line.trim_end().to_owned());
        }
        let preamble = std::mem::take(&mut preamble);
        stanzas.push(Stanza {
            preamble,
            directives,
            line: index + 1,
            expected,
        });
    }
    Ok(Script {
        stanzas,
        epilogue: preamble,
    })
}

fn print(script: &Script) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for stanza in &script.stanzas {
        lines.extend(stanza.preamble.iter().map(String::as_str));
        lines.extend(stanza.directives.iter().map(String::as_str));
        lines.push(DIVIDER);
        lines.extend(stanza.expected.iter().map(String::as_str));
    }
    lines.extend(script.epilogue.iter().map(String::as_str));
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

/// The stanza with `-` before what was expected and `+` before what was answered instead.
fn difference(place: &str, stanza: &Stanza, answered: &[String]) -> String {
    let mut text = format!("{place}: another answer than expected\n");
    for directive in &stanza.directives {
        let _ = writeln!(text, "    {directive}");
    }
    let expected = &stanza.expected;
    let same = expected
        .iter()
        .zip(answered)
        .take_while(|(left, right)| left == right)
        .count();
    let rest = expected.len().min(answered.len()) - same;
    let tail = (1..=rest)
        .take_while(|back| expected[expected.len() - back] == answered[answered.len() - back])
        .count();
    for line in &expected[..same] {
        let _ = writeln!(text, "    {line}");
    }
    for line in &expected[same..expected.len() - tail] {
        let _ = writeln!(text, "  - {line}");
    }
    for line in &answered[same..answered.len() - tail] {
        let _ = writeln!(text, "  + {line}");
    }
    for line in &expected[expected.len() - tail..] {
        let _ = writeln!(text, "    {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORY: &str = "# Counting.\nadd 2\nadd 3\n----\n2\n5\n\n# Again.\nadd 1\n----\n6\n";

    fn counter() -> impl FnMut(&str) -> String {
        let mut sum = 0;
        move |directive| {
            sum += directive
                .strip_prefix("add ")
                .unwrap()
                .parse::<u32>()
                .unwrap();
            sum.to_string()
        }
    }

    fn written(name: &str, text: &str) -> PathBuf {
        let directory = std::env::temp_dir().join("tidemill-script-tests");
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join(format!("{}-{name}.txt", std::process::id()));
        std::fs::write(&file, text).unwrap();
        file
    }

    #[test]
    fn a_script_is_printed_as_it_was_read() {
        assert_eq!(print(&parse(STORY).unwrap()), STORY);
    }

    #[test]
    fn a_story_that_is_told_as_expected_passes() {
        let file = written("passes", STORY);
        assert_eq!(run_file(&file, counter(), false), Ok(()));
    }

    #[test]
    fn another_answer_is_shown_with_its_place() {
        let file = written("differs", &STORY.replace("\n5\n", "\n4\n"));
        let failure = run_file(&file, counter(), false).unwrap_err();
        assert!(failure.contains(":2: another answer"), "{failure}");
        assert!(failure.contains("    2\n  - 4\n  + 5\n"), "{failure}");
    }

    #[test]
    fn an_update_takes_the_answers_over() {
        let file = written("updates", &STORY.replace("\n5\n", "\n4\nmore\n"));
        assert_eq!(run_file(&file, counter(), true), Ok(()));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), STORY);
    }

    #[test]
    fn what_is_not_a_script_is_refused_with_its_line() {
        let cases = [
            ("# a\nadd 1\n", "2: no ---- follows"),
            ("add 1\n\n----\n", "1: no ---- follows"),
            ("\n----\n2\n", "2: no ---- follows"),
        ];
        for (text, error) in cases {
            let refused = parse(text).unwrap_err();
            assert!(refused.starts_with(error), "{refused}");
        }
    }
}
