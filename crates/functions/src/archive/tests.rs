//! Archives that are taken, and those that are not.

use std::os::unix::fs::PermissionsExt;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn zipped(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, mode, contents) in entries {
        let options = SimpleFileOptions::default().unix_permissions(*mode);
        writer.start_file(*name, options).unwrap();
        writer.write_all(contents).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn with_link(name: &str, target: &str) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .add_symlink(name, target, SimpleFileOptions::default())
        .unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn files_come_out_as_they_went_in_and_keep_whether_they_run() {
    let target = tempfile::tempdir().unwrap();
    let zip = zipped(&[
        ("a/b.py", 0o600, b"x = 1\n"),
        ("bootstrap", 0o755, b"#!/bin/sh\n"),
    ]);
    assert!(inspect(&zip).is_ok());
    unpack(&zip, target.path()).unwrap();
    assert_eq!(
        std::fs::read(target.path().join("a/b.py")).unwrap(),
        b"x = 1\n"
    );
    let mode = |name: &str| {
        std::fs::metadata(target.path().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o111
    };
    assert_eq!((mode("a/b.py"), mode("bootstrap") & 0o100), (0, 0o100));
}

#[test]
fn what_is_no_archive_is_refused_in_awss_words() {
    let mut torn = zipped(&[("a", 0o644, &[7; 5000])]);
    let middle = torn.len() / 2;
    torn[30..middle].fill(0xff);
    for bytes in [&b""[..], b"not a zip", &torn] {
        let message = inspect(bytes).expect_err("broken").to_string();
        assert_eq!(
            message,
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        );
    }
}

#[test]
fn no_entry_leads_out_of_the_target() {
    for name in ["../up", "a/../../up", "/etc/up", "a\\..\\..\\up", "\\up"] {
        let zip = zipped(&[(name, 0o644, b"x")]);
        assert!(
            matches!(inspect(&zip), Err(Refused::Broken { .. })),
            "{name}"
        );
    }
    for (name, target) in [
        ("link", "../up"),
        ("a/link", "../../up"),
        ("link", "/etc/passwd"),
    ] {
        assert!(
            matches!(
                inspect(&with_link(name, target)),
                Err(Refused::Broken { .. })
            ),
            "{target}"
        );
    }
    assert!(inspect(&with_link("a/link", "../b")).is_ok());
}

#[test]
fn a_link_inside_the_archive_is_made() {
    let target = tempfile::tempdir().unwrap();
    unpack(&with_link("a/link", "../b"), target.path()).unwrap();
    let link = std::fs::read_link(target.path().join("a/link")).unwrap();
    assert_eq!(link, PathBuf::from("../b"));
}

#[test]
fn an_archive_that_grows_without_end_is_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let piece = vec![0; 1 << 20];
    for name in ["a", "b"] {
        writer
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        for _ in 0..126 {
            writer.write_all(&piece).unwrap();
        }
    }
    let bomb = writer.finish().unwrap().into_inner();
    assert!(bomb.len() < 1 << 20);
    assert!(matches!(inspect(&bomb), Err(Refused::UnzippedTooLarge)));
}

#[test]
fn two_entries_do_not_need_one_place_for_different_things() {
    for names in [["a", "a/b"], ["a/b", "a"], ["a/b/c", "a/b"]] {
        let zip = zipped(&[(names[0], 0o644, b"x"), (names[1], 0o644, b"x")]);
        assert!(
            matches!(inspect(&zip), Err(Refused::Broken { .. })),
            "{names:?}"
        );
    }
    let long = "n".repeat(256);
    assert!(matches!(
        inspect(&zipped(&[(&long, 0o644, b"x")])),
        Err(Refused::Broken { .. })
    ));
}

#[test]
fn few_entries_that_need_very_many_directories_are_refused() {
    let deep = "a/".repeat(500);
    let names: Vec<String> = (0..300).map(|index| format!("{index}/{deep}f")).collect();
    let entries: Vec<(&str, u32, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), 0o644, &b""[..]))
        .collect();
    let refused = inspect(&zipped(&entries)).expect_err("150,000 directories");
    assert!(matches!(&refused, Refused::Broken { detail } if detail.contains("paths")));
    assert!(inspect(&zipped(&entries[..10])).is_ok());
}
