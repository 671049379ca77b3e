import type { Caller, Method } from './caller.ts';

/** By hand, since the generated code has no health service: one text, and one number. */
const check: Method<string, boolean> = {
  path: '/grpc.health.v1.Health/Check',
  requestStream: false,
  responseStream: false,
  requestSerialize: (service) =>
    Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service, 'latin1')]),
  requestDeserialize: (bytes) => bytes.toString('latin1', 2),
  responseSerialize: (isServing) => Buffer.from([0x08, isServing ? 1 : 2]),
  responseDeserialize: (bytes) => bytes.equals(Buffer.from([0x08, 1])),
};

/** Whether the peer says that it serves `service`, like `digitalwallet.auth.v1.AuthService`. */
export async function isServing(
  caller: Pick<Caller, 'call'>,
  service: string,
  timeoutMs: number,
): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  const answer = await caller.call(check, service, { deadlineMs });
  return answer.ok && answer.value;
}
