//! What the simulated disk keeps and loses.

use super::*;

fn written(disk: &SimDisk, path: &str, bytes: &[u8]) -> Arc<dyn DiskFile> {
    let file = disk.create(path).unwrap();
    file.write_at(0, bytes).unwrap();
    file
}

fn content(disk: &SimDisk, path: &str) -> Option<Vec<u8>> {
    let file = disk.open(path).ok()?;
    let mut bytes = vec![0; file.size().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    Some(bytes)
}

#[test]
fn what_is_synced_with_its_name_survives_every_crash() {
    for seed in 0..50 {
        let disk = SimDisk::new();
        written(&disk, "file", b"content").sync().unwrap();
        disk.sync_directory("").unwrap();
        disk.crash(seed);
        assert_eq!(
            content(&disk, "file").as_deref(),
            Some(b"content".as_slice())
        );
    }
}

#[test]
fn a_name_that_is_not_synced_may_be_lost() {
    let survived = |seed| {
        let disk = SimDisk::new();
        written(&disk, "file", b"content").sync().unwrap();
        disk.crash(seed);
        content(&disk, "file").is_some()
    };
    assert!((0..50).any(survived));
    assert!(!(0..50).all(survived));
}

#[test]
fn unsynced_sectors_are_old_or_new_each_by_itself() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let disk = SimDisk::new();
        let file = written(&disk, "file", &[1; 4 * SECTOR_BYTES]);
        file.sync().unwrap();
        disk.sync_directory("").unwrap();
        file.write_at(0, &[2; 4 * SECTOR_BYTES]).unwrap();
        disk.crash(seed);
        let bytes = content(&disk, "file").unwrap();
        for sector in bytes.chunks(SECTOR_BYTES) {
            assert!(
                sector.iter().all(|byte| *byte == sector[0]),
                "a sector is whole"
            );
        }
        seen.insert(
            bytes
                .iter()
                .step_by(SECTOR_BYTES)
                .copied()
                .collect::<Vec<u8>>(),
        );
    }
    assert_eq!(seen.len(), 16, "every mixture of four sectors comes up");
}

#[test]
fn a_rename_is_whole_or_not_at_all() {
    for seed in 0..50 {
        let disk = SimDisk::new();
        written(&disk, "old", b"1").sync().unwrap();
        disk.sync_directory("").unwrap();
        disk.rename("old", "new").unwrap();
        disk.crash(seed);
        assert_eq!(disk.files().len(), 1);
    }
}

#[test]
fn a_failed_sync_loses_what_it_was_for_even_when_the_next_succeeds() {
    let disk = SimDisk::new();
    let file = written(&disk, "file", &[1; SECTOR_BYTES]);
    file.sync().unwrap();
    disk.sync_directory("").unwrap();
    file.write_at(0, &[2; SECTOR_BYTES]).unwrap();
    disk.fail_at(disk.io_count() + 1, DiskFailure::Broken);
    assert!(file.sync().is_err());
    file.sync().unwrap();
    assert_eq!(
        content(&disk, "file").unwrap(),
        [2; SECTOR_BYTES],
        "it is still seen"
    );
    disk.crash(0);
    assert_eq!(content(&disk, "file").unwrap(), [1; SECTOR_BYTES]);
}

#[test]
fn from_the_cut_to_the_crash_nothing_works() {
    let disk = SimDisk::new();
    let file = written(&disk, "file", b"1");
    disk.crash_at(disk.io_count() + 1);
    assert!(file.sync().is_err());
    assert!(disk.open("file").is_err());
    assert!(disk.sync_directory("").is_err());
    disk.crash(0);
    assert!(file.sync().is_err(), "it was opened before the cut");
    disk.sync_directory("").unwrap();
}

#[test]
fn a_full_disk_takes_no_more() {
    let disk = SimDisk::new();
    let file = written(&disk, "file", &[1; 10]);
    disk.set_capacity(Some(12));
    assert_eq!(
        file.write_at(10, b"123").unwrap_err().kind(),
        io::ErrorKind::StorageFull
    );
    file.write_at(10, b"12").unwrap();
}

#[test]
fn what_is_written_through_survives_and_what_is_cut_short_is_torn() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let disk = SimDisk::written_through();
        let file = disk.create_written_through("file").unwrap();
        assert!(file.is_written_through());
        disk.sync_directory("").unwrap();
        file.write_at(0, &[1; 2 * SECTOR_BYTES]).unwrap();
        disk.crash_at(disk.io_count() + 1);
        assert!(file.write_at(0, &[2; 2 * SECTOR_BYTES]).is_err());
        disk.crash(seed);
        let bytes = content(&disk, "file").unwrap();
        seen.insert((bytes[0], bytes[SECTOR_BYTES]));
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn a_file_that_was_cut_off_has_either_size_until_it_is_synced() {
    let size_after = |seed, is_synced| {
        let disk = SimDisk::new();
        let file = written(&disk, "file", &[1; 3 * SECTOR_BYTES]);
        file.sync().unwrap();
        disk.sync_directory("").unwrap();
        disk.truncate("file", SECTOR_BYTES as u64).unwrap();
        if is_synced {
            file.sync().unwrap();
        }
        disk.crash(seed);
        content(&disk, "file").unwrap().len()
    };
    let sizes: std::collections::BTreeSet<usize> =
        (0..50).map(|seed| size_after(seed, false)).collect();
    assert_eq!(
        sizes.into_iter().collect::<Vec<_>>(),
        [SECTOR_BYTES, 3 * SECTOR_BYTES]
    );
    assert!((0..50).all(|seed| size_after(seed, true) == SECTOR_BYTES));
}

#[test]
fn a_new_name_never_replaces_one_and_may_be_lost_until_its_directory_is_synced() {
    let renamed = |seed: Option<u64>| {
        let disk = SimDisk::new();
        for (path, bytes) in [("one", b"1"), ("two", b"2")] {
            written(&disk, path, bytes).sync().unwrap();
        }
        disk.sync_directory("").unwrap();
        let taken = disk.rename_new("one", "two").unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(content(&disk, "two").as_deref(), Some(b"2".as_slice()));
        disk.rename_new("one", "three").unwrap();
        assert_eq!(content(&disk, "one"), None);
        match seed {
            None => disk.sync_directory("").unwrap(),
            Some(seed) => disk.crash(seed),
        }
        content(&disk, "three")
    };
    assert_eq!(renamed(None).as_deref(), Some(b"1".as_slice()));
    let after_crash: Vec<_> = (0..20).map(|seed| renamed(Some(seed))).collect();
    assert!(after_crash.contains(&None) && after_crash.contains(&Some(b"1".to_vec())));
}
