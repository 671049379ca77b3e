import { constants, type ServerHttp2Stream } from 'node:http2';

import { status } from '@grpc/grpc-js';

/** Answers a request that did not become whole in time, and lets go of it. */
export function refuseIncomplete(stream: ServerHttp2Stream): void {
  if (!stream.headersSent && !stream.destroyed) {
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc+proto',
        'grpc-status': status.DEADLINE_EXCEEDED,
        'grpc-message': 'the request did not arrive whole in time: nothing was done',
      },
      { endStream: true },
    );
  }
  stream.close(constants.NGHTTP2_NO_ERROR);
}
