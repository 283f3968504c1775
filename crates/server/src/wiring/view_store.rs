//! Where master datasets, batch views and static tables are kept: [`ViewStore`].
//!
//! In the data directory; the first two, which grow, in a bucket when `[views]` in the configuration file
//! names one. What must hold: a data directory keeps to one place. Records that a master dataset had are freed
//! from the log, so one that is looked for elsewhere would begin anew without them.

use std::sync::Arc;

use thiserror::Error;

use tidemill_log::Disk;
use tidemill_views::store::StoreError;
use tidemill_views::{DiskStore, S3Error, S3Place, S3Store, Store};

use crate::config::ViewsSection;

/// The file of the data directory that says where its tables are; without it they are in the data directory.
const PLACE: &str = "views/store";
/// The folder of master datasets.
const TABLES: &str = "views/master";

/// Why tables cannot be kept where they should be.
#[derive(Debug, Error)]
pub enum StoreFailure {
    /// There is no such store.
    #[error(transparent)]
    Store(#[from] S3Error),
    /// The data directory cannot be asked where its tables are.
    #[error(transparent)]
    Disk(#[from] StoreError),
    /// They are elsewhere.
    #[error(
        "the tables of this data directory are in {found}, and the configuration file names {named}: name \
         the first again, or copy all that is below views/ from there to here and write \"{url}\" into the \
         file views/store of the data directory"
    )]
    Elsewhere {
        /// Where they are.
        found: String,
        /// Where they were looked for.
        named: String,
        /// The second, as it stands in the file.
        url: String,
    },
}

/// Where it all is.
pub struct ViewStore {
    /// Master datasets and batch views.
    pub store: Arc<dyn Store>,
    /// What the names of files there begin with for those who read them from elsewhere.
    pub place: String,
    /// Static tables: small, and needed at every start, so they are always in the data directory.
    pub tables: Arc<dyn Store>,
}

impl ViewStore {
    /// As `section` says. The data directory is on `disk`.
    pub fn open(section: &ViewsSection, disk: Arc<dyn Disk>) -> Result<ViewStore, StoreFailure> {
        let tables: Arc<dyn Store> = Arc::new(DiskStore::new(disk));
        let Some(url) = &section.store else {
            check(&*tables, "")?;
            return Ok(ViewStore {
                store: Arc::clone(&tables),
                place: String::new(),
                tables,
            });
        };
        let place = S3Place {
            url: url.trim_end_matches('/').to_owned(),
            endpoint: section.store_endpoint.clone(),
            region: section.store_region.clone(),
        };
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name, value.into_string().ok()?))
        });
        let store = S3Store::new(&place, environment)?;
        check(&*tables, &place.url)?;
        Ok(ViewStore {
            store: Arc::new(store),
            place: format!("{}/", place.url),
            tables,
        })
    }
}

/// Notes that tables are at `url`, or finds that they are elsewhere.
fn check(local: &dyn Store, url: &str) -> Result<(), StoreFailure> {
    let found = match local.read(PLACE)? {
        Some(found) => Some(String::from_utf8_lossy(&found).trim().to_owned()),
        None => (!local.list(TABLES)?.is_empty()).then(String::new),
    };
    let called = |url: &str| match url {
        "" => "the data directory".to_owned(),
        url => url.to_owned(),
    };
    match found {
        Some(found) if found == url => Ok(()),
        None if url.is_empty() => Ok(()),
        None => {
            local.put_new(PLACE, url.as_bytes())?;
            Ok(())
        }
        Some(found) => Err(StoreFailure::Elsewhere {
            found: called(&found),
            named: called(url),
            url: url.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use tidemill_testkit::SimDisk;

    use super::*;

    #[test]
    fn a_data_directory_keeps_to_one_place() {
        let disk = SimDisk::new();
        let local = DiskStore::new(Arc::new(disk.clone()));
        check(&local, "").expect("nothing is anywhere");
        check(&local, "s3://one").expect("nothing is anywhere");
        check(&local, "s3://one").expect("it is there");
        assert!(matches!(
            check(&local, "s3://two"),
            Err(StoreFailure::Elsewhere { found, .. }) if found == "s3://one"
        ));
        assert!(check(&local, "").is_err());
    }

    #[test]
    fn tables_that_are_in_the_data_directory_stay_there() {
        let local = DiskStore::new(Arc::new(SimDisk::new()));
        local.put_new("views/master/orders-1", b"").expect("put");
        check(&local, "").expect("they are there");
        let error = check(&local, "s3://one").expect_err("they are not there");
        assert!(
            error.to_string().contains("are in the data directory"),
            "{error}"
        );
        assert!(local.read(PLACE).expect("read").is_none());
    }
}
