//! The admin socket: only the user that Deputy runs as can open it, from the moment it exists, and who opened it is
//! known.

use std::any::Any;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use actix_web::dev::Extensions;
use tokio::net::UnixStream;

use crate::endpoint::manage::operator::Peer;

/// Why a path cannot be that of the admin socket.
#[derive(Debug, thiserror::Error)]
#[error("{}; {}", self.what(), self.fix())]
pub enum SocketFault {
    TooLong(PathBuf),
    IsDirectory(PathBuf),
}

impl SocketFault {
    pub fn what(&self) -> String {
        match self {
            Self::TooLong(path) => format!(
                "the path of the admin socket `{}` has {} bytes, and the system allows a socket no more than about 100",
                path.display(),
                path.as_os_str().len()
            ),
            Self::IsDirectory(path) => {
                format!("the path of the admin socket `{}` is a directory", path.display())
            }
        }
    }

    pub const fn fix(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "choose a `data_dir` with a shorter path",
            Self::IsDirectory(_) => "remove the directory",
        }
    }
}

/// Whether the admin socket can be at `path`.
///
/// # Errors
/// [`SocketFault`]: what is in the way.
pub fn check(path: &Path) -> Result<(), SocketFault> {
    if SocketAddr::from_pathname(path).is_err() {
        return Err(SocketFault::TooLong(path.to_owned()));
    }
    if path.is_dir() { Err(SocketFault::IsDirectory(path.to_owned())) } else { Ok(()) }
}

/// Listens on `path`, in the place of a socket that an earlier process left there.
///
/// The mode of a socket follows the umask until it is set. So the socket is made in a directory that nobody else can
/// enter, and takes its place when its mode is right. Path and directory together are no longer than `path`, because
/// the path of a socket has a limit.
pub(super) fn bind(path: &Path) -> io::Result<UnixListener> {
    let directory = path.with_file_name(".admin");
    let made = directory.join("s");
    // A process that was killed may have left both.
    for left in [std::fs::remove_file(&made), std::fs::remove_dir(&directory)] {
        left.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    }
    DirBuilder::new().mode(0o700).create(&directory)?;
    let listener = UnixListener::bind(&made)?;
    std::fs::set_permissions(&made, Permissions::from_mode(0o600))?;
    std::fs::rename(&made, path)?;
    std::fs::remove_dir(&directory)?;
    Ok(listener)
}

/// Notes who is at the other end of a new connection.
pub(super) fn note_peer(connection: &dyn Any, data: &mut Extensions) {
    let peer = connection.downcast_ref::<UnixStream>().and_then(|stream| stream.peer_cred().ok());
    if let Some(peer) = peer {
        data.insert(Peer { uid: peer.uid() });
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileTypeExt as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_socket_takes_the_place_of_an_earlier_one_and_leaves_nothing_beside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let earlier = bind(&path).unwrap();
        drop(earlier);
        DirBuilder::new().mode(0o700).create(directory.path().join(".admin")).unwrap();
        std::fs::write(directory.path().join(".admin/s"), "").unwrap();
        let listener = bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        listener.accept().unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_path_that_just_fits_can_be_listened_on() {
        let directory = tempfile::tempdir().unwrap();
        // The longest path of a socket is 107 bytes on Linux and 103 on macOS.
        let length = 103 - "/admin.sock".len() - directory.path().as_os_str().len() - 1;
        let long = directory.path().join("d".repeat(length));
        std::fs::create_dir(&long).unwrap();
        bind(&long.join("admin.sock")).unwrap();
    }
}
