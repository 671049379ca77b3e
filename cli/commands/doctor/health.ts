import type { Connection } from '../../rpc/client.ts';
import type { CallResult } from '../../rpc/errors.ts';
import type { Method } from '../../rpc/method.ts';

export const serving = 1;

/** `grpc.health.v1.Health/Check`: a name in field 1 of the request, a state in that of the answer. */
const check: Method<string, number> = {
  path: '/grpc.health.v1.Health/Check',
  requestSerialize: (service) => {
    const name = Buffer.from(service);
    return name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  },
  responseDeserialize: (bytes) => (bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0),
};

/** The state of a part of the server, `` for the whole: 1 if it serves. Needs no credential. */
export const checkHealth = (
  connection: Connection,
  service: string,
  options: Parameters<Connection['request']>[2],
): Promise<CallResult<number>> => connection.request(check, service, options);
