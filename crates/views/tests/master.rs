//! The master dataset over the simulated disk: what it keeps, what it refuses, and what a crash leaves.

mod support;

use std::time::Duration;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use tidemill_log::Disk;
use tidemill_log::disk::{read_whole, write_whole};
use tidemill_model::ShardId;
use tidemill_testkit::{DiskFailure, SimDisk};
use tidemill_views::Schema;
use tidemill_views::master::{Aim, Malformed, Subject, Table, TableError, Untiled};
use tidemill_views::positions::Positions;
use tidemill_views::schema::{Column, Format};

use support::*;

const ALL: Aim = Aim {
    file_bytes: u64::MAX,
    files_min: 2,
};
const LOG: &str = "master/flights/_delta_log";

fn filled() -> (SimDisk, Table) {
    let disk = SimDisk::new();
    let mut table = open(&disk).expect("the disk is well");
    let epochs = [
        vec![sealed(1, 0, 7), sealed(0, 0, 12)],
        vec![sealed(0, 12, 30)],
        vec![sealed(1, 7, 9), sealed(2, 0, 3)],
    ];
    for epoch in epochs {
        table.append(epoch, now()).expect("the disk is well");
    }
    (disk, table)
}

fn all_rows() -> Vec<(u32, u64, Vec<u8>)> {
    expected_rows(&[span(0, 0, 30), span(1, 0, 9), span(2, 0, 3)])
}

#[test]
fn what_was_appended_is_read_back_by_whoever_opens_the_table() {
    let (disk, table) = filled();
    let positions = Positions::from([(ShardId(0), 30), (ShardId(1), 9), (ShardId(2), 3)]);
    for table in [table, open(&disk).unwrap()] {
        assert_eq!(table.snapshot().positions, positions);
        assert_eq!(table.snapshot().next_epoch, 3);
        assert_eq!(rows(&table).unwrap(), all_rows());
    }
}

#[test]
fn columns_are_read_out_of_payloads_and_bad_ones_are_kept_and_counted() {
    let (_, table) = filled();
    let file = &table.snapshot().files[1];
    assert_eq!((file.rows(), file.bad), (18, 2));
    let rows = table.rows(file).unwrap();
    let delays = rows
        .column_by_name("delay")
        .unwrap()
        .as_primitive::<Int64Type>();
    let bad = rows.column_by_name("_bad").unwrap().as_string::<i32>();
    assert_eq!((delays.value(0), bad.is_null(0)), (-8, true));
    assert!(delays.is_null(7));
    assert_eq!(bad.value(7), "delay: not a whole number of 64 bits");
    let payloads = rows.column_by_name("_payload").unwrap().as_binary::<i32>();
    assert_eq!(payloads.value(7), br#"{"delay":"late","n":19}"#);
}

#[test]
fn positions_whose_records_are_gone_are_accounted_for() {
    let disk = SimDisk::new();
    let mut table = open(&disk).unwrap();
    table
        .append(vec![gone(0, 0, 100), sealed(0, 100, 110)], now())
        .unwrap();
    table.append(vec![gone(0, 110, 120)], now()).unwrap();
    table.append(vec![sealed(0, 120, 125)], now()).unwrap();
    for _ in 0..2 {
        let table = open(&disk).unwrap();
        let snapshot = table.snapshot();
        assert_eq!(snapshot.position(ShardId(0)), 125);
        assert_eq!(
            snapshot.files.iter().map(|file| file.rows()).sum::<u64>(),
            15
        );
        let gone = snapshot.files.iter().flat_map(|file| &file.gone);
        assert!(gone.eq([&span(0, 0, 100), &span(0, 110, 120)]));
        let held = [span(0, 100, 110), span(0, 120, 125)];
        assert_eq!(rows(&table).unwrap(), expected_rows(&held));
        open(&disk).unwrap().compact(ALL, now()).unwrap();
    }
}

#[test]
fn a_compaction_keeps_data_and_positions_and_its_files_are_swept_later() {
    let (disk, mut table) = filled();
    let before = table.snapshot().clone();
    assert_eq!(table.compact(ALL, now()), Ok(true));
    assert_eq!(table.compact(ALL, now()), Ok(false));
    let keep = Duration::from_secs(60);
    assert_eq!(table.sweep(keep, now()), Ok(vec![]));
    for mut table in [open(&disk).unwrap(), table] {
        let after = table.snapshot().clone();
        assert_eq!(after.positions, before.positions);
        assert_eq!(after.next_epoch, before.next_epoch);
        assert_eq!(after.files.len(), 1);
        assert_eq!(rows(&table).unwrap(), all_rows());
        let swept = table.sweep(keep, now().plus(keep)).unwrap();
        let mut names: Vec<String> = before.files.iter().map(|file| file.name.clone()).collect();
        names.sort();
        assert!(swept == names || swept.is_empty());
    }
    let mut table = open(&disk).unwrap();
    table.append(vec![sealed(2, 3, 5)], now()).unwrap();
    assert_eq!(rows(&open(&disk).unwrap()).unwrap().len(), 44);
}

#[test]
fn a_checkpoint_is_what_its_commits_come_to_and_a_damaged_one_is_left_aside() {
    let (disk, mut table) = filled();
    table.compact(ALL, now()).unwrap();
    table.checkpoint(5).unwrap();
    table.checkpoint(4).unwrap();
    table.append(vec![sealed(0, 30, 31)], now()).unwrap();
    let checkpoint = format!("{LOG}/00000000000000000004.checkpoint.parquet");
    let hint = read_whole(&disk, &format!("{LOG}/_last_checkpoint")).unwrap();
    assert!(hint.starts_with(br#"{"version":4,"size":10,"#));
    assert!(disk.files().iter().any(|(path, _)| *path == checkpoint));
    let expected = table.snapshot().clone();
    // Without the commits before it, only the checkpoint can say what the table is.
    let short = disk.fork();
    for version in 0..4 {
        short.remove(&format!("{LOG}/{version:020}.json")).unwrap();
    }
    assert_eq!(*open(&short).unwrap().snapshot(), expected);
    let bytes = read_whole(&disk, &checkpoint).unwrap();
    for bit in (0..bytes.len() * 8).step_by(97) {
        let damaged = disk.fork();
        damaged.flip_bit(&checkpoint, bit);
        let found = open(&damaged).unwrap();
        assert_eq!(found.snapshot().positions, expected.positions, "bit {bit}");
        assert_eq!(rows(&found).unwrap().len(), 43, "bit {bit}");
    }
}

#[test]
fn columns_are_added_and_old_files_have_none_of_them() {
    let (disk, mut table) = filled();
    let extra = Column {
        name: "tail".into(),
        format: Format::Text,
        path: vec!["tail".into()],
    };
    let wider = Schema::new([schema().columns(), std::slice::from_ref(&extra)].concat()).unwrap();
    table.change_schema(&wider, now()).unwrap();
    table.append(vec![sealed(0, 30, 31)], now()).unwrap();
    let narrower = Schema::new(vec![extra]).unwrap();
    let refused = table.change_schema(&narrower, now());
    assert_eq!(refused, Err(TableError::ColumnsChanged));
    assert_eq!(table.compact(ALL, now()), Ok(true));
    let table = open(&disk).unwrap();
    assert_eq!(table.snapshot().schema, wider);
    let found = table.rows(&table.snapshot().files[0]).unwrap();
    assert_eq!(found.column_by_name("tail").unwrap().null_count(), 43);
    assert_eq!(rows(&table).unwrap().len(), 43);
}

#[test]
fn of_two_writers_one_is_told_that_it_lost() {
    let (disk, mut one) = filled();
    let mut two = open(&disk).unwrap();
    two.append(vec![sealed(0, 30, 31)], now()).unwrap();
    let lost = one.append(vec![sealed(0, 30, 40)], now());
    assert_eq!(lost, Err(TableError::Conflict { version: 4 }));
    assert_eq!(
        one.append(vec![sealed(0, 30, 40)], now()),
        Err(TableError::Unsure)
    );
    let mut one = open(&disk).unwrap();
    assert_eq!(one.snapshot().position(ShardId(0)), 31);
    assert_eq!(one.sweep(Duration::ZERO, now()).unwrap().len(), 1);
    one.append(vec![sealed(0, 31, 40)], now()).unwrap();
    assert_eq!(rows(&one).unwrap().len(), 52);
}

#[test]
fn a_table_of_another_stream_is_refused() {
    let (disk, _) = filled();
    let other = Subject {
        incarnation: 2,
        ..subject()
    };
    let refused = open_as(&disk, &other, &schema()).err();
    assert!(matches!(refused, Some(TableError::Other { .. })));
}

/// Changes the newest commit, or puts another behind it.
fn with_commit(version: u64, change: impl Fn(&str) -> String) -> Result<Table, TableError> {
    let (disk, _) = filled();
    let path = format!("{LOG}/{version:020}.json");
    let before = read_whole(&disk, &path).unwrap_or_default();
    let after = change(&String::from_utf8_lossy(&before));
    let name = format!("{version:020}.json");
    write_whole(&disk, LOG, &name, after.as_bytes()).expect("the disk is well");
    open(&disk)
}

#[test]
fn a_table_that_was_set_back_or_written_by_somebody_else_is_refused() {
    let (_, table) = filled();
    let newest = &table.snapshot().files[2];
    let remove = |_: &str| {
        let name = &newest.name;
        format!(r#"{{"remove":{{"path":"{name}","dataChange":true}}}}"#)
    };
    let set_back = with_commit(4, remove).err();
    let lost = Untiled::End {
        shard: ShardId(1),
        files: 7,
        log: 9,
    };
    assert_eq!(set_back, Some(TableError::Malformed(lost.into())));
    let foreign = with_commit(4, |_| {
        r#"{"add":{"path":"part-0.parquet","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}"#.into()
    });
    let name = "part-0.parquet".to_owned();
    assert_eq!(foreign.err(), Some(Malformed::Foreign { name }.into()));
    let unknown = with_commit(4, |_| r#"{"domainMetadata":{"domain":"x"}}"#.into());
    assert!(matches!(
        unknown.err(),
        Some(TableError::Malformed(Malformed::Commit { version: 4, .. }))
    ));
    let skipped = with_commit(5, |_| String::new());
    assert!(matches!(
        skipped.err(),
        Some(TableError::Malformed(Malformed::Commit { version: 4, .. }))
    ));
    let newer = with_commit(4, |_| {
        r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7}}"#.into()
    });
    assert!(newer.is_err());
    let back = with_commit(4, |_| {
        r#"{"txn":{"appId":"tidemill.shard.0","version":29}}"#.into()
    });
    assert!(back.is_err());
    assert!(with_commit(4, |_| String::new()).is_ok());
}

/// Whatever bit is wrong on the disk, no row is lost, doubled or changed without an error.
#[test]
fn a_flipped_bit_is_refused_or_means_nothing() {
    let (disk, _) = filled();
    let expected = all_rows();
    let mut refused = 0;
    for (path, size) in disk.files() {
        for bit in (0..size * 8).step_by(31) {
            let damaged = disk.fork();
            damaged.flip_bit(&path, bit);
            match open(&damaged).and_then(|table| rows(&table)) {
                Ok(found) => assert_eq!(found, expected, "{path} bit {bit}"),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn a_file_that_is_gone_is_missed_at_the_open() {
    let (disk, table) = filled();
    let name = &table.snapshot().files[1].name;
    disk.remove(&format!("{FOLDER}/{name}")).unwrap();
    assert!(matches!(
        open(&disk).err(),
        Some(TableError::Damaged { .. })
    ));
}

/// The log of a table, as it is for ever. `UPDATE=1` writes it anew; old tables must still open then.
#[test]
fn a_log_has_the_lines_it_always_had() {
    let disk = SimDisk::new();
    let mut table = open(&disk).unwrap();
    table
        .append(
            vec![gone(0, 0, 2), sealed(0, 2, 12), sealed(1, 0, 3)],
            now(),
        )
        .unwrap();
    table.append(vec![sealed(1, 3, 4)], now()).unwrap();
    table.compact(ALL, now()).unwrap();
    let mut found = String::new();
    for version in 0..4 {
        let bytes = read_whole(&disk, &format!("{LOG}/{version:020}.json")).unwrap();
        found += &format!("-- {version}\n{}", String::from_utf8(bytes).unwrap());
    }
    // What a file's bytes are is for its writer to say, and so are the name that is made of them and
    // their number.
    for (index, part) in names_and_sizes(&found).iter().enumerate() {
        let (before, _) = part.split_at(part.len().min(7));
        let hidden = if before == "\"size\":" {
            "\"size\":"
        } else {
            "-"
        };
        found = found.replace(part.as_str(), &format!("{hidden}<{index}>"));
    }
    found = found.replace(env!("CARGO_PKG_VERSION"), "<version>");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden_log.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(path).unwrap());
}

/// The hashes in names of files, and the sizes of files, in the order in which a log first has them.
fn names_and_sizes(log: &str) -> Vec<String> {
    let names = log
        .split('"')
        .filter_map(|text| text.strip_suffix(".parquet"));
    let hashes = names.filter_map(|name| name.rsplit_once('-'));
    let hashes = hashes.map(|(_, hash)| format!("-{hash}"));
    let sizes = log.split("\"size\":").skip(1).map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        format!("\"size\":{digits}")
    });
    let mut found = Vec::new();
    for part in hashes.chain(sizes) {
        if !found.contains(&part) {
            found.push(part);
        }
    }
    found
}

/// One change of a table.
type Step = fn(&mut Table) -> Result<(), TableError>;

/// Every kind of change, in an order in which each has something to do.
const STEPS: [Step; 8] = [
    |table| table.append(vec![sealed(0, 0, 12), sealed(1, 0, 5)], now()),
    |table| table.append(vec![sealed(0, 12, 20)], now()),
    |table| table.compact(ALL, now()).map(drop),
    |table| table.checkpoint(3),
    |table| table.append(vec![gone(1, 5, 8), sealed(2, 0, 4)], now()),
    |table| table.sweep(Duration::ZERO, now()).map(drop),
    |table| table.compact(ALL, now()).map(drop),
    |table| table.append(vec![sealed(1, 8, 11)], now()),
];

/// The rows behind each number of steps that were done.
fn rows_after(steps: usize) -> Vec<(u32, u64, Vec<u8>)> {
    let spans = match steps {
        0 => vec![],
        1 => vec![span(0, 0, 12), span(1, 0, 5)],
        2..=4 => vec![span(0, 0, 20), span(1, 0, 5)],
        5..=7 => vec![span(0, 0, 20), span(1, 0, 5), span(2, 0, 4)],
        _ => vec![span(0, 0, 20), span(1, 0, 5), span(2, 0, 4), span(1, 8, 11)],
    };
    expected_rows(&spans)
}

/// Opens what is left, does what is missing, and compares.
fn recover(disk: &SimDisk, acknowledged: usize, what: &str) {
    let mut table = open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = rows(&table).unwrap_or_else(|error| panic!("{what}: {error}"));
    let is_allowed = found == rows_after(acknowledged) || found == rows_after(acknowledged + 1);
    assert!(
        is_allowed,
        "{what}: {} rows after {acknowledged} steps",
        found.len()
    );
    let done = if found == rows_after(acknowledged) {
        acknowledged
    } else {
        acknowledged + 1
    };
    for step in &STEPS[done.min(STEPS.len())..] {
        step(&mut table).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    let swept = table.sweep(Duration::ZERO, now());
    swept.unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = open(disk).and_then(|table| rows(&table));
    assert_eq!(found, Ok(rows_after(STEPS.len())), "{what}");
    let live = table.snapshot().files.len();
    let kept = disk
        .files()
        .iter()
        .filter(|(path, _)| path.contains("/epoch-"))
        .count();
    assert_eq!(live, kept, "{what}: garbage is left");
    assert!(
        !disk.files().iter().any(|(path, _)| path.ends_with(".tmp")),
        "{what}"
    );
}

#[test]
fn a_power_cut_at_any_io_loses_nothing_and_doubles_nothing() {
    let disk = SimDisk::new();
    disk.record_cuts();
    let mut table = open(&disk).unwrap();
    let mut ends = vec![];
    for step in STEPS {
        step(&mut table).unwrap();
        ends.push(disk.io_count());
    }
    let cuts = disk.take_cuts();
    assert!(cuts.len() > 50, "{}", cuts.len());
    for (index, cut) in cuts.iter().enumerate() {
        let io = index as u64 + 1;
        let acknowledged = ends.iter().filter(|end| **end < io).count();
        for seed in 0..4 {
            let disk = cut.fork();
            disk.crash(seed);
            recover(
                &disk,
                acknowledged,
                &format!("cut in I/O {io}, seed {seed}"),
            );
        }
    }
}

#[test]
fn an_io_that_fails_is_an_error_and_a_restart_goes_on() {
    let run = |disk: &SimDisk| {
        let mut done = 0;
        let Ok(mut table) = open(disk) else {
            return done;
        };
        for step in STEPS {
            if step(&mut table).is_err() {
                break;
            }
            done += 1;
        }
        done
    };
    let whole = SimDisk::new();
    assert_eq!(run(&whole), STEPS.len());
    for io in 1..=whole.io_count() {
        for failure in [DiskFailure::Broken, DiskFailure::Full] {
            let disk = SimDisk::new();
            disk.fail_at(io, failure);
            let done = run(&disk);
            recover(&disk, done, &format!("{failure:?} at I/O {io}"));
        }
    }
}
