//! The zip archive of a function: [`inspect`] before it is taken, [`unpack`] before it is run.
//!
//! What must hold: nothing is written outside the target directory, whatever an archive's names and
//! links say, and never more bytes than AWS allows, whatever its headers say. Both walk the archive in
//! the same way, so what passed the inspection can be unpacked.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::path::{Component, Path, PathBuf};

use thiserror::Error;
use zip::ZipArchive;

use crate::limits::{
    ARCHIVE_ENTRIES_MAX, ARCHIVE_PATHS_BYTES_MAX, UNZIPPED_BYTES_MAX, ZIPPED_BYTES_MAX,
};

/// Why an archive is refused.
#[derive(Debug, Error)]
pub enum Refused {
    /// It cannot be read, or holds what must not be unpacked; the detail is for the diagnostics.
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again.")]
    Broken {
        /// What is wrong with it.
        detail: String,
    },
    /// It is larger than AWS takes in a request.
    #[error("Zipped size must be smaller than {ZIPPED_BYTES_MAX} bytes")]
    ZippedTooLarge,
    /// Its files are larger than AWS takes.
    #[error("Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes")]
    UnzippedTooLarge,
    /// It could not be written to the disk.
    #[error("the archive could not be unpacked")]
    Disk(#[from] io::Error),
}

/// Longest name and longest path, in bytes, that leave room for where the code is unpacked.
const NAME_BYTES_MAX: usize = 255;
const PATH_BYTES_MAX: usize = 1024;

fn broken(detail: impl ToString) -> Refused {
    Refused::Broken {
        detail: detail.to_string(),
    }
}

/// What an entry of an archive is.
enum Kind {
    Directory,
    /// A file; whether it can be executed.
    File(bool),
    /// A link to this target.
    Link(PathBuf),
}

/// Reads `zip` to its end and checks every entry.
pub fn inspect(zip: &[u8]) -> Result<(), Refused> {
    if zip.len() > ZIPPED_BYTES_MAX {
        return Err(Refused::ZippedTooLarge);
    }
    walk(zip, |_, _, contents| match contents {
        Some(contents) => io::copy(contents, &mut io::sink()).map(drop),
        None => Ok(()),
    })
}

/// Writes the entries of `zip` below `target`, which must be new and empty. Links are made when all
/// files are written, so that nothing is written through one.
pub fn unpack(zip: &[u8], target: &Path) -> Result<(), Refused> {
    let mut links = Vec::new();
    walk(zip, |path, kind, contents| {
        let place = target.join(path);
        match (kind, contents) {
            (Kind::Directory, _) => std::fs::create_dir_all(&place),
            (Kind::Link(to), _) => {
                links.push((place, to));
                Ok(())
            }
            (Kind::File(executable), Some(contents)) => write_file(&place, executable, contents),
            (Kind::File(_), None) => unreachable!("a file comes with its contents"),
        }
    })?;
    for (place, to) in links {
        create_parent(&place)?;
        std::os::unix::fs::symlink(to, place)?;
    }
    Ok(())
}

fn create_parent(place: &Path) -> io::Result<()> {
    place.parent().map_or(Ok(()), std::fs::create_dir_all)
}

fn write_file(place: &Path, executable: bool, contents: &mut dyn Read) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    create_parent(place)?;
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(place)?;
    io::copy(contents, &mut file)?;
    file.flush()
}

fn walk(
    zip: &[u8],
    mut visit: impl FnMut(&Path, Kind, Option<&mut dyn Read>) -> io::Result<()>,
) -> Result<(), Refused> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(broken)?;
    if archive.len() > ARCHIVE_ENTRIES_MAX {
        return Err(broken(format!("{} entries", archive.len())));
    }
    let mut left = UNZIPPED_BYTES_MAX;
    let mut places = Places::default();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?;
        let path = checked_path(&name)?;
        let is_link = entry.is_symlink();
        places.take(
            &path,
            if entry.is_dir() {
                Place::Directory
            } else if is_link {
                Place::Link
            } else {
                Place::File
            },
        )?;
        if entry.is_dir() {
            visit(&path, Kind::Directory, None)?;
            continue;
        }
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let mut contents = Counted {
            inner: &mut entry,
            left: &mut left,
            exceeded: false,
            failed: None,
        };
        let visited = if is_link {
            let mut target = String::new();
            let read = contents.read_to_string(&mut target);
            read.and_then(|_| checked_link(&path, &target))
                .and_then(|target| visit(&path, Kind::Link(target), None))
        } else {
            visit(&path, Kind::File(executable), Some(&mut contents))
        };
        let (exceeded, failed) = (contents.exceeded, contents.failed);
        match (exceeded, failed, visited) {
            (true, _, _) => return Err(Refused::UnzippedTooLarge),
            (_, Some(detail), _) => return Err(broken(detail)),
            (_, None, Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(broken(error));
            }
            (_, None, visited) => visited?,
        }
    }
    Ok(())
}

/// What stands at a path of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Directory,
    File,
    Link,
}

/// The paths that an archive has taken, so that no two entries need the same one for different things.
#[derive(Default)]
struct Places {
    taken: BTreeMap<PathBuf, Place>,
    /// What the paths take in sum: few entries can need many directories.
    bytes: usize,
}

impl Places {
    fn take(&mut self, path: &Path, place: Place) -> Result<(), Refused> {
        let directories = path
            .ancestors()
            .skip(1)
            .filter(|path| !path.as_os_str().is_empty())
            .map(|path| (path, Place::Directory));
        for (path, place) in std::iter::once((path, place)).chain(directories) {
            match self.taken.get(path) {
                // The same file twice is the second one; a link cannot be made twice.
                Some(before) if *before != place || place == Place::Link => {
                    return Err(broken(format!("two entries are at {}", path.display())));
                }
                // It was taken together with all that leads to it.
                Some(_) => return Ok(()),
                None => {}
            }
            self.bytes += path.as_os_str().len();
            if self.bytes > ARCHIVE_PATHS_BYTES_MAX {
                return Err(broken("its paths are too many and too long"));
            }
            self.taken.insert(path.to_owned(), place);
        }
        Ok(())
    }
}

/// The place of an entry below the target; no name leads out of it.
fn checked_path(name: &str) -> Result<PathBuf, Refused> {
    let mut path = PathBuf::new();
    for part in name.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => return Err(broken(format!("entry {name:?} leads out of the archive"))),
            part if part.contains('\0') || part.len() > NAME_BYTES_MAX => {
                return Err(broken(format!("entry {name:?} cannot be a file's name")));
            }
            part => path.push(part),
        }
    }
    let bytes = path.as_os_str().len();
    if name.starts_with(['/', '\\']) || bytes == 0 || bytes > PATH_BYTES_MAX {
        return Err(broken(format!(
            "entry {name:?} has no place in the archive"
        )));
    }
    Ok(path)
}

/// The target of the link at `path`, when it stays inside the archive.
fn checked_link(path: &Path, target: &str) -> io::Result<PathBuf> {
    if target.is_empty() || target.contains('\0') || target.len() > PATH_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a link without a usable target",
        ));
    }
    let mut depth = path.components().count() as i64 - 1;
    for component in Path::new(target).components() {
        depth += match component {
            Component::Normal(_) => 1,
            Component::ParentDir => -1,
            Component::CurDir => 0,
            Component::RootDir | Component::Prefix(_) => i64::MIN / 2,
        };
        if depth < 0 {
            let reason = format!("link {} leads out of the archive", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
    }
    Ok(PathBuf::from(target))
}

/// Contents of an entry, counted as they come, because headers can lie.
struct Counted<'a, R> {
    inner: &'a mut R,
    left: &'a mut u64,
    exceeded: bool,
    failed: Option<String>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer).inspect_err(|error| {
            self.failed = Some(error.to_string());
        })?;
        match self.left.checked_sub(count as u64) {
            Some(left) => {
                *self.left = left;
                Ok(count)
            }
            None => {
                self.exceeded = true;
                Err(io::Error::new(io::ErrorKind::InvalidData, "too large"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
