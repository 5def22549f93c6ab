import { connect } from 'node:net';

export interface ConnectionWork {
  /** The next request to send, or null: no more. */
  take(): number | null;
  read(index: number): Uint8Array;
  answered(index: number, status: number, latencyMs: number): void;
}

const ANSWER_BYTES_MAX = 16_384;
const HEAD_END = '\r\n\r\n';

/** Sends one request after the other over one connection. Resolves when there are no more, or when the connection has ended. */
export function openConnection(port: number, work: ConnectionWork): Promise<void> {
  return new Promise((resolve) => {
    const received = Buffer.alloc(ANSWER_BYTES_MAX);
    let length = 0;
    let current: number | null = null;
    let sentMs = 0;

    const sendNext = () => {
      current = work.take();
      if (current === null) return socket.end();
      length = 0;
      sentMs = performance.now();
      return socket.write(work.read(current));
    };
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.alloc(ANSWER_BYTES_MAX),
        callback: (bytes, chunk) => {
          if (length + bytes > received.length) socket.destroy(new Error('an answer is longer than the generator reads'));
          else {
            received.set(chunk.subarray(0, bytes), length);
            length += bytes;
            const status = statusOfWhole(received, length);
            if (status !== null && current !== null) {
              work.answered(current, status, performance.now() - sentMs);
              sendNext();
            }
          }
          return true;
        },
      },
    });
    socket.once('connect', sendNext);
    // A request without an answer keeps the status 0; nobody repeats it.
    socket.on('error', () => undefined);
    socket.once('close', () => resolve());
  });
}

/** The status of the answer, once it is there to its last byte. */
function statusOfWhole(received: Buffer, length: number): number | null {
  const head = received.subarray(0, length).indexOf(HEAD_END);
  if (head === -1) return null;
  // "HTTP/1.1 204": the digits stand at the same place in every answer.
  const status = (received[9] ?? 0) * 100 + (received[10] ?? 0) * 10 + (received[11] ?? 0) - 48 * 111;
  if (status === 204) return status;
  const bodyBytes = Number(/\r\ncontent-length: (\d+)/i.exec(received.toString('latin1', 0, head))?.[1] ?? 0);
  return length >= head + HEAD_END.length + bodyBytes ? status : null;
}
