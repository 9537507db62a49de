//! A caller's sockets: UDP on loopback, ports from the system, and the order in which datagrams came.

use std::{
    collections::VecDeque,
    io::{Error, ErrorKind, Result},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use socket2::SockRef;

use crate::capture::Channel;

/// What a socket may hold while its caller is not looking: ten seconds of speech and more. Bytes.
const RECEIVE_BYTES: usize = 1 << 20;

/// More than any floor message or packet of speech. Bytes; what is longer is cut, and the judge sees that it was changed.
const DATAGRAM_MAX: usize = 4096;

/// A caller's two channels.
///
/// On one port datagrams keep the order in which they came. On two ports the system does not tell which of two waiting
/// datagrams came first; then floor control is read first, and before the first media is believed, floor control is looked at
/// once more. So a node that sends media well before the floor is caught on two ports, one that is early by microseconds only
/// on one.
#[derive(Debug)]
pub struct Leg {
    media: Socket,
    floor: Option<Socket>,
    /// Where the node takes each; known once it has answered.
    to_media: Option<SocketAddr>,
    to_floor: Option<SocketAddr>,
    had_media: bool,
    waiting: VecDeque<(Channel, Vec<u8>)>,
}

/// A socket, and the runtime's word for when to look at it.
#[derive(Debug)]
struct Socket {
    /// Read and written directly: the runtime may think that nothing is there when something is.
    socket: UdpSocket,
    readiness: tokio::net::UdpSocket,
}

impl Leg {
    /// Opens the sockets on loopback: one for both channels, or two.
    pub fn open(one_port: bool) -> Result<Leg> {
        let media = Socket::open()?;
        let floor = if one_port { None } else { Some(Socket::open()?) };
        Ok(Leg { media, floor, to_media: None, to_floor: None, had_media: false, waiting: VecDeque::new() })
    }

    /// Where media comes in.
    pub fn rtp(&self) -> Result<SocketAddr> {
        self.media.socket.local_addr()
    }

    /// Where floor control comes in.
    pub fn floor(&self) -> Result<SocketAddr> {
        self.floor.as_ref().unwrap_or(&self.media).socket.local_addr()
    }

    /// The node has answered: this is where it takes media and floor control.
    pub fn direct(&mut self, rtp: SocketAddr, floor: Option<SocketAddr>) {
        (self.to_media, self.to_floor) = (Some(rtp), floor);
    }

    /// Sends a datagram. Fails before `direct`.
    pub fn send(&self, channel: Channel, bytes: &[u8]) -> Result<()> {
        let (socket, to) = match channel {
            Channel::Floor => (self.floor.as_ref().unwrap_or(&self.media), self.to_floor),
            Channel::Media => (&self.media, self.to_media),
        };
        socket.socket.send_to(bytes, to.ok_or(Error::from(ErrorKind::NotConnected))?).map(drop)
    }

    /// Sends a datagram to an address of its own: one leg may be in several calls.
    pub fn send_to(&self, channel: Channel, bytes: &[u8], to: SocketAddr) -> Result<()> {
        let socket = match channel {
            Channel::Floor => self.floor.as_ref().unwrap_or(&self.media),
            Channel::Media => &self.media,
        };
        socket.socket.send_to(bytes, to).map(drop)
    }

    /// The next datagram. Can be dropped while it waits without losing one.
    pub async fn hear(&mut self) -> Result<(Channel, Vec<u8>)> {
        loop {
            self.look()?;
            if let Some(heard) = self.waiting.pop_front() {
                return Ok(heard);
            }
            match &self.floor {
                None => self.media.wait().await?,
                Some(floor) => tokio::select! {
                    ready = floor.wait() => ready?,
                    ready = self.media.wait() => ready?,
                },
            }
        }
    }

    fn look(&mut self) -> Result<()> {
        let Some(floor) = &self.floor else {
            let heard = self.media.take()?.map(|bytes| (Channel::of(&bytes), bytes));
            self.waiting.extend(heard);
            return Ok(());
        };
        let from_floor = |bytes| (Channel::Floor, bytes);
        self.waiting.extend(floor.take()?.map(from_floor));
        if self.waiting.is_empty()
            && let Some(bytes) = self.media.take()?
        {
            while !self.had_media
                && let Some(bytes) = floor.take()?
            {
                self.waiting.push_back(from_floor(bytes));
            }
            self.had_media = true;
            self.waiting.push_back((Channel::Media, bytes));
        }
        Ok(())
    }
}

impl Socket {
    fn open() -> Result<Socket> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BYTES)?;
        let readiness = tokio::net::UdpSocket::from_std(socket.try_clone()?)?;
        Ok(Socket { socket, readiness })
    }

    /// A datagram that is there.
    fn take(&self) -> Result<Option<Vec<u8>>> {
        let mut bytes = [0; DATAGRAM_MAX];
        match self.socket.recv(&mut bytes) {
            Ok(length) => Ok(bytes.get(..length).map(<[u8]>::to_vec)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until there may be a datagram.
    async fn wait(&self) -> Result<()> {
        self.readiness.readable().await?;
        // If nothing is there after all, the runtime must be told, or it answers at once for ever.
        let there = || self.socket.peek(&mut [0; 1]).map(drop);
        match self.readiness.try_io(tokio::io::Interest::READABLE, there) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn send_and_hear(one_port: bool) -> Vec<Channel> {
        let mut leg = Leg::open(one_port).unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let floor = [0x85, 204, 0, 2, 0, 0, 0, 1, b'M', b'C', b'P', b'T'];
        sender.send_to(&floor, leg.floor().unwrap()).unwrap();
        for _ in 0..3 {
            sender.send_to(&[0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], leg.rtp().unwrap()).unwrap();
        }
        let mut channels = Vec::new();
        for _ in 0..4 {
            channels.push(leg.hear().await.unwrap().0);
        }
        channels
    }

    #[tokio::test]
    async fn the_floor_that_was_sent_first_is_heard_first() {
        for one_port in [true, false] {
            let channels = send_and_hear(one_port).await;
            assert_eq!(channels, [Channel::Floor, Channel::Media, Channel::Media, Channel::Media]);
        }
    }

    #[tokio::test]
    async fn on_one_port_media_that_was_sent_first_is_heard_first() {
        let mut leg = Leg::open(true).unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        sender.send_to(&[0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], leg.rtp().unwrap()).unwrap();
        sender.send_to(&[0x85, 204, 0, 2, 0, 0, 0, 1, b'M', b'C', b'P', b'T'], leg.rtp().unwrap()).unwrap();
        assert_eq!(leg.hear().await.unwrap().0, Channel::Media);
        assert_eq!(leg.hear().await.unwrap().0, Channel::Floor);
    }
}
