//! A file that is read by a router: a new one takes its name, whole or not at all.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
};

/// `path` with `ending` behind its name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Gives `path` this `text` by a new file in its place, with owner and mode of the old one. [`sync`] brings it to
/// disk.
pub(crate) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // Behind a link it is the file that is replaced, not the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let new = &beside(path, ".new");
    let mut file = File::create(new)?;
    // The router may run as somebody else: owner and mode are the old file's.
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
        if old.uid() != file.metadata()?.uid() || old.gid() != file.metadata()?.gid() {
            chown(new, Some(old.uid()), Some(old.gid())).map_err(|error| {
                let text = format!("give the new file the old one's owner: {error}");
                std::io::Error::new(error.kind(), text)
            })?;
        }
    }
    file.write_all(text.as_bytes())?;
    fs::rename(new, path)
}

/// Returns when the file as it is would survive a loss of power.
pub(crate) fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("r.map"), folder.path().join("link.map"));
        fs::write(&file, "web 1|\n").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, "web 0|\n").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "web 0|\n");
    }
}
