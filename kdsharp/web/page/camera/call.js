// A test call: both ends of a WebRTC connection in this page, without a server.

/** Sends the stream through the connection and returns the receiving end. */
export async function call(stream) {
  const [near, far] = [new RTCPeerConnection(), new RTCPeerConnection()];
  near.onicecandidate = ({ candidate }) => candidate && far.addIceCandidate(candidate);
  far.onicecandidate = ({ candidate }) => candidate && near.addIceCandidate(candidate);
  const arrived = new Promise((resolve) => {
    far.ontrack = ({ streams, track }) => resolve(streams[0] ?? new MediaStream([track]));
  });
  for (const track of stream.getVideoTracks()) near.addTrack(track, stream);
  await near.setLocalDescription();
  await far.setRemoteDescription(near.localDescription);
  await far.setLocalDescription();
  await near.setRemoteDescription(far.localDescription);
  return {
    stream: await arrived,
    /** Statistics of the received video: frames, width, height and fps. */
    async received() {
      for (const report of (await far.getStats()).values())
        if (report.type === "inbound-rtp" && report.kind === "video")
          return {
            frames: report.framesDecoded ?? 0,
            width: report.frameWidth ?? 0,
            height: report.frameHeight ?? 0,
            fps: report.framesPerSecond ?? 0,
          };
      return { frames: 0, width: 0, height: 0, fps: 0 };
    },
    close() {
      near.close();
      far.close();
    },
  };
}
