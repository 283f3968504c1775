//! The workspace as `cargo metadata` describes it: packages and what they depend on.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A package of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The name of its folder, which is how the documents call it.
    pub name: String,
    /// Its folder, relative to the workspace.
    pub folder: String,
    /// Everything it depends on.
    pub dependencies: Vec<Dependency>,
}

/// One dependency of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// The name of its folder when it belongs to the workspace.
    pub folder: Option<String>,
    /// Whether only tests need it.
    pub development: bool,
}

/// Asks cargo for the packages of the workspace at `root`.
pub fn packages(root: &Path) -> Result<Vec<Package>> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root);
    let output = command.output().context("running cargo metadata")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo metadata failed: {said}");
    from_metadata(&serde_json::from_slice(&output.stdout).context("reading cargo metadata")?)
}

fn from_metadata(metadata: &Value) -> Result<Vec<Package>> {
    let root = text(metadata, "workspace_root")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata without packages")?;
    packages
        .iter()
        .map(|package| from_package(package, root))
        .collect()
}

fn from_package(package: &Value, root: &str) -> Result<Package> {
    let manifest = Path::new(text(package, "manifest_path")?);
    let folder = manifest.parent().context("a manifest without a folder")?;
    let inside = folder
        .strip_prefix(root)
        .context("a member outside the workspace")?;
    let dependencies = package["dependencies"]
        .as_array()
        .context("a package without dependencies")?;
    Ok(Package {
        name: last_part(&folder.to_string_lossy()),
        folder: inside.to_string_lossy().replace('\\', "/"),
        dependencies: dependencies
            .iter()
            .map(from_dependency)
            .collect::<Result<_>>()?,
    })
}

fn from_dependency(dependency: &Value) -> Result<Dependency> {
    Ok(Dependency {
        name: text(dependency, "name")?.to_owned(),
        folder: dependency["path"].as_str().map(last_part),
        development: dependency["kind"].as_str() == Some("dev"),
    })
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key]
        .as_str()
        .with_context(|| format!("cargo metadata without `{key}`"))
}

fn last_part(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_go_by_the_name_of_their_folder() {
        let metadata = serde_json::json!({
            "workspace_root": "/w",
            "packages": [{
                "name": "tidemill-log",
                "manifest_path": "/w/crates/log/Cargo.toml",
                "dependencies": [
                    {"name": "tidemill-model", "path": "/w/crates/model", "kind": null},
                    {"name": "bytes", "kind": null},
                    {"name": "tidemill-testkit", "path": "/w/crates/testkit", "kind": "dev"},
                ],
            }],
        });
        let dependency = |name: &str, folder: Option<&str>, development| Dependency {
            name: name.into(),
            folder: folder.map(str::to_owned),
            development,
        };
        let expected = Package {
            name: "log".into(),
            folder: "crates/log".into(),
            dependencies: vec![
                dependency("tidemill-model", Some("model"), false),
                dependency("bytes", None, false),
                dependency("tidemill-testkit", Some("testkit"), true),
            ],
        };
        assert_eq!(from_metadata(&metadata).expect("well-formed"), [expected]);
    }

    #[test]
    fn metadata_that_is_none_is_an_error() {
        assert!(from_metadata(&serde_json::json!({})).is_err());
    }
}
