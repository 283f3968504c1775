//! What a batch view consists of: [`Manifest`], a JSON file with a digest of itself.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::encoding::hex;
use crate::part::Counts;

/// The version of the format.
const VERSION: u32 = 1;

/// A manifest, as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What it says.
    pub body: Body,
    /// SHA-256 of the body, in hex.
    digest: String,
}

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    version: u32,
    /// Names everything that decides what the view computes.
    pub plan: String,
    /// How many times the view was swapped, this time included.
    pub epoch: u64,
    /// One past the last position of each shard that is in the view, as a vector.
    pub positions: String,
    /// What became of the positions.
    pub counts: Counts,
    /// The files, in the order of their keys.
    pub files: Vec<Entry>,
}

/// A file of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, which has a hash of its content in it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// How many groups it has.
    pub groups: u64,
}

impl Manifest {
    /// With a digest of `body`.
    pub fn of(
        plan: &str,
        epoch: u64,
        positions: String,
        counts: Counts,
        files: Vec<Entry>,
    ) -> Manifest {
        let body = Body {
            version: VERSION,
            plan: plan.to_owned(),
            epoch,
            positions,
            counts,
            files,
        };
        let digest = digest(&body);
        Manifest { body, digest }
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a manifest has texts and numbers only")
    }

    /// What the bytes say; or what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Manifest, String> {
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.body.version != VERSION {
            return Err(format!(
                "version {} is not known here",
                manifest.body.version
            ));
        }
        if manifest.digest != digest(&manifest.body) {
            return Err("its digest is not that of what it says".to_owned());
        }
        Ok(manifest)
    }
}

fn digest(body: &Body) -> String {
    let text = serde_json::to_vec(body).expect("a manifest has texts and numbers only");
    hex(&Sha256::digest(text))
}
