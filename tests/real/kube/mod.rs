//! What the tests of the Kubernetes providers stand on.

mod cluster;
mod data_plane;
