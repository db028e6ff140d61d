// A voice note from the microphone. Without a microphone, or where nothing can make Ogg of it, there is none.

const OGG = "audio/ogg;codecs=opus";
const KINDS = [OGG, "audio/webm;codecs=opus", "audio/mp4"];
const LONGEST = 10 * 60 * 1000;
const converts = document.documentElement.dataset.converts === "1";

export function canRecord() {
  return Boolean(navigator.mediaDevices && window.MediaRecorder) && (converts || MediaRecorder.isTypeSupported(OGG));
}

export class Recorder {
  // Throws when the microphone is refused.
  static async start() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    return new Recorder(stream);
  }

  constructor(stream) {
    this.stream = stream;
    this.begun = Date.now();
    const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
    this.recorder = new MediaRecorder(stream, { mimeType });
    this.pieces = [];
    this.recorder.addEventListener("dataavailable", (event) => this.pieces.push(event.data));
    this.recorder.start();
    this.limit = setTimeout(() => this.recorder.state === "recording" && this.recorder.pause(), LONGEST);
  }

  // Ends the recording; the file, with the type the browser gave it.
  async stop() {
    clearTimeout(this.limit);
    const ended = new Promise((done) => this.recorder.addEventListener("stop", done, { once: true }));
    this.recorder.stop();
    await ended;
    for (const track of this.stream.getTracks()) track.stop();
    const type = this.recorder.mimeType.split(";")[0];
    return new File(this.pieces, "voice", { type });
  }
}
