//! What the machine was like during a run: [`Machine`].
//!
//! A figure without its cores, its load and its disk cannot be compared with another. The facts are
//! read from `/proc`; where that does not exist they are absent, and the report says so.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

/// The circumstances of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Cores this process may use.
    pub cores: usize,
    /// Load average over the last minute, before the run.
    pub load_average: Option<f64>,
    /// Scheduling class of this process, in the kernel's words.
    pub scheduling: Option<&'static str>,
    /// The directory the server and the disk floor write to.
    pub directory: String,
    /// File system of that directory.
    pub file_system: Option<String>,
    /// `release` or `debug`; only a release build is worth comparing.
    pub build: &'static str,
}

impl Machine {
    /// Looks at the machine; `directory` is where the run will write.
    pub fn observe(directory: &Path) -> Machine {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let directory = directory
            .canonicalize()
            .unwrap_or_else(|_| directory.to_path_buf());
        Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load_average: read("/proc/loadavg").and_then(|text| load_average(&text)),
            scheduling: read("/proc/self/stat").and_then(|text| scheduling(&text)),
            file_system: read("/proc/self/mounts").and_then(|text| file_system(&text, &directory)),
            directory: directory.display().to_string(),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        }
    }
}

impl Machine {
    /// What about it spoils a figure.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.build == "debug" {
            warnings.push("this is a debug build; run `cargo run --release -- bench`".to_owned());
        }
        if self.file_system.as_deref() == Some("tmpfs") {
            let directory = &self.directory;
            warnings.push(format!(
                "{directory} is in memory, a sync costs nothing; use --dir"
            ));
        }
        let half = self.cores as f64 / 2.0;
        if let Some(load) = self.load_average.filter(|load| *load > half) {
            warnings.push(format!(
                "the machine was busy before the run: load average {load}"
            ));
        }
        warnings
    }
}

/// How long this process has had a processor, in all its threads; none where the system does not say.
pub fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    processor_time_in(&stat)
}

/// Fields 14 and 15 of `/proc/self/stat`: hundredths of a second for itself and in the system.
fn processor_time_in(text: &str) -> Option<Duration> {
    let fields = text[text.rfind(')')? + 1..].split_whitespace();
    let mut times = fields.skip(14 - 3).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    Some(Duration::from_millis(10 * ticks))
}

/// The first number of `/proc/loadavg`.
fn load_average(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

/// The class from `/proc/self/stat`: field 41, counted behind the command's closing parenthesis, for
/// the command may hold spaces.
fn scheduling(text: &str) -> Option<&'static str> {
    let behind_command = &text[text.rfind(')')? + 1..];
    let class: u32 = behind_command
        .split_whitespace()
        .nth(41 - 3)?
        .parse()
        .ok()?;
    Some(match class {
        0 => "SCHED_OTHER",
        1 => "SCHED_FIFO",
        2 => "SCHED_RR",
        3 => "SCHED_BATCH",
        5 => "SCHED_IDLE",
        6 => "SCHED_DEADLINE",
        _ => "unknown",
    })
}

/// The type of the mount that `directory` (absolute) lies in: the longest mount point that leads to it.
fn file_system(mounts: &str, directory: &Path) -> Option<String> {
    let mount = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let point = words.next()?.replace("\\040", " ");
        Some((point, words.next()?.to_owned()))
    };
    // The last of equal mount points is the one on top.
    let on_the_way = mounts
        .lines()
        .filter_map(mount)
        .filter(|(point, _)| directory.starts_with(point));
    on_the_way
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spoils_a_figure_is_said() {
        let quiet = Machine {
            cores: 2,
            load_average: Some(0.1),
            scheduling: Some("SCHED_OTHER"),
            directory: "/d".to_owned(),
            file_system: Some("ext4".to_owned()),
            build: "release",
        };
        assert!(quiet.warnings().is_empty());
        let spoilt = Machine {
            load_average: Some(1.5),
            file_system: Some("tmpfs".to_owned()),
            build: "debug",
            ..quiet
        };
        assert_eq!(spoilt.warnings().len(), 3);
    }

    #[test]
    fn the_load_is_the_first_number() {
        assert_eq!(load_average("0.42 0.50 0.60 2/345 6789\n"), Some(0.42));
        assert_eq!(load_average(""), None);
    }

    #[test]
    fn the_time_of_a_processor_is_that_of_itself_and_of_the_system() {
        let stat = "12 (tide mill) S 1 2 3 4 5 6 7 8 9 10 250 31 0 0\n";
        assert_eq!(processor_time_in(stat), Some(Duration::from_millis(2810)));
        assert_eq!(processor_time_in("12 (short) S 1"), None);
    }

    #[test]
    fn the_scheduling_class_is_found_behind_a_command_with_spaces() {
        let fields = |class: &str| {
            let mut fields: Vec<String> = (3..=52).map(|number| number.to_string()).collect();
            fields[41 - 3] = class.to_owned();
            format!("12 (tide mill) x) {}\n", fields.join(" "))
        };
        assert_eq!(scheduling(&fields("0")), Some("SCHED_OTHER"));
        assert_eq!(scheduling(&fields("1")), Some("SCHED_FIFO"));
        assert_eq!(scheduling("12 (short)"), None);
    }

    #[test]
    fn the_file_system_is_that_of_the_longest_mount_point() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/my\\040disk xfs rw 0 0\n";
        for (directory, kind) in [
            ("/home/x", "ext4"),
            ("/tmp/x", "tmpfs"),
            ("/tmp/my disk/x", "xfs"),
            ("/tmpx", "ext4"),
        ] {
            assert_eq!(
                file_system(mounts, Path::new(directory)).as_deref(),
                Some(kind),
                "{directory}"
            );
        }
    }
}
