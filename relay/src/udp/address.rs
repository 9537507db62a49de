//! A destination in the form in which the kernel takes it, made once when a leg is bound.

use std::net::SocketAddr;

/// A socket address as `sendmmsg` reads it: 28 bytes, and how many of them count.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Address {
    storage: libc::sockaddr_in6,
    length: libc::socklen_t,
}

impl Address {
    pub(super) fn as_ptr(&self) -> *const libc::c_void {
        (&raw const self.storage).cast()
    }

    pub(super) fn length(&self) -> libc::socklen_t {
        self.length
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        // SAFETY: sockaddr_in6 is plain old data; all zeros is a value of it.
        let mut storage: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
        let length = match address {
            SocketAddr::V4(v4) => {
                // SAFETY: sockaddr_in is smaller than sockaddr_in6, no more strictly aligned, and plain old data.
                let place = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_in>() };
                place.sin_family = libc::AF_INET as libc::sa_family_t;
                place.sin_port = v4.port().to_be();
                place.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                storage.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                storage.sin6_port = v6.port().to_be();
                storage.sin6_addr.s6_addr = v6.ip().octets();
                storage.sin6_scope_id = v6.scope_id();
                size_of::<libc::sockaddr_in6>()
            }
        };
        Address { storage, length: length as libc::socklen_t }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({} bytes)", self.length)
    }
}
