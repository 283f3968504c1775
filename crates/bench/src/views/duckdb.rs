//! `DuckDB` over the files of a master dataset: [`measure`], in a Python of the user's that has it.
//!
//! What must hold: it reads the files that the log of the table names and no other, and comes to the sums
//! of the records; where it is not there, that is said by name and nothing is measured.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::spawn::spawn;
use crate::statistics::Figure;
use crate::views::records::Totals;
use crate::views::report::DuckDb;
use crate::views::subject::{ViewsBenchError, wrong};

/// Reads what to do as JSON, tells what came of it as JSON.
const PROGRAM: &str = r#"
import json, sys, time
try:
    import duckdb
except ImportError:
    print("null")
    sys.exit(0)
asked = json.load(sys.stdin)
columns = """SELECT origin, slot, count(*), sum(delay), avg(distance), min(fare), max(fare)
             FROM read_parquet(?) GROUP BY origin, slot"""
payloads = """SELECT origin, slot, count(*), sum(delay), avg(distance), min(fare), max(fare) FROM (
    SELECT j->>'origin' AS origin, (j->>'slot')::BIGINT AS slot, (j->>'delay')::BIGINT AS delay,
           (j->>'distance')::BIGINT AS distance, (j->>'fare')::DOUBLE AS fare
    FROM (SELECT decode(_payload)::JSON AS j FROM read_parquet(?))) GROUP BY origin, slot"""
def seconds(sql, threads):
    connection = duckdb.connect(config={} if threads is None else {"threads": threads})
    every = []
    for _ in range(asked["rounds"] + 1):
        before = time.perf_counter()
        rows = connection.execute(sql, [asked["files"]]).fetchall()
        every.append(time.perf_counter() - before)
        n, delay = sum(row[2] for row in rows), sum(row[3] for row in rows)
        if [n, delay] != asked["totals"]:
            sys.exit(f"DuckDB comes to {n} records with {delay} and not {asked['totals']}")
    return every[1:]
told = {"version": duckdb.__version__, "one": seconds(columns, 1), "all": seconds(columns, None)}
try:
    told["payloads"] = seconds(payloads, 1)
except duckdb.Error:
    told["payloads"] = None
print(json.dumps(told))
"#;

#[derive(Deserialize)]
struct Told {
    version: String,
    one: Vec<f64>,
    all: Vec<f64>,
    payloads: Option<Vec<f64>>,
}

/// Has the files of the table in `folder` grouped; none when `python` is not there or has no `DuckDB`.
pub async fn measure(
    python: &Path,
    folder: &Path,
    totals: Totals,
    rounds: usize,
) -> Result<Option<DuckDb>, ViewsBenchError> {
    let files: Vec<String> = live_files(folder)?
        .iter()
        .map(|name| folder.join(name).display().to_string())
        .collect();
    let asked = json!({ "files": files, "rounds": rounds, "totals": [totals.n, totals.delay] });
    let mut command = Command::new(python);
    command
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let Ok(mut child) = spawn(&mut command) else {
        return Ok(None);
    };
    let mut stdin = child.stdin.take().expect("it is piped");
    // One that has ended without reading has told why.
    let _ = stdin.write_all(asked.to_string().as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().last().unwrap_or("it ended without a word");
        return Err(wrong(format!("DuckDB failed: {said}")));
    }
    let told: Option<Told> = serde_json::from_slice(&output.stdout)
        .map_err(|error| wrong(format!("DuckDB told something else: {error}")))?;
    let Some(told) = told else {
        return Ok(None);
    };
    let rate = |seconds: &[f64]| {
        let rates: Vec<f64> = seconds
            .iter()
            .map(|one| totals.n as f64 / one.max(1e-9))
            .collect();
        Figure::of(&rates).ok_or_else(|| wrong("DuckDB had no round"))
    };
    Ok(Some(DuckDb {
        version: told.version,
        columns_one_thread: rate(&told.one)?,
        columns_all_threads: rate(&told.all)?,
        payloads_one_thread: told.payloads.as_deref().map(rate).transpose()?,
    }))
}

/// The files that the commits of the table in `folder` add and do not remove.
fn live_files(folder: &Path) -> Result<BTreeSet<String>, ViewsBenchError> {
    let mut commits = Vec::new();
    for file in std::fs::read_dir(folder.join("_delta_log"))? {
        let path = file?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            commits.push(path);
        }
    }
    commits.sort();
    let mut live = BTreeSet::new();
    for commit in commits {
        for line in std::fs::read_to_string(commit)?.lines() {
            let action: Value = serde_json::from_str(line)
                .map_err(|error| wrong(format!("a commit that cannot be read: {error}")))?;
            if let Some(path) = action["add"]["path"].as_str() {
                live.insert(path.to_owned());
            }
            if let Some(path) = action["remove"]["path"].as_str() {
                live.remove(path);
            }
        }
    }
    Ok(live)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_were_replaced_are_not_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = directory.path().join("_delta_log");
        std::fs::create_dir(&log).expect("a folder");
        let commits = [
            "{\"protocol\":{}}\n{\"add\":{\"path\":\"a\"}}\n",
            "{\"add\":{\"path\":\"b\"}}\n",
            "{\"remove\":{\"path\":\"a\"}}\n{\"remove\":{\"path\":\"b\"}}\n{\"add\":{\"path\":\"c\"}}\n",
        ];
        for (version, commit) in commits.iter().enumerate() {
            std::fs::write(log.join(format!("{version:020}.json")), commit).expect("a commit");
        }
        let live = live_files(directory.path()).expect("is read");
        assert_eq!(live, BTreeSet::from(["c".to_owned()]));
    }
}
