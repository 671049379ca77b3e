import { ErrorInfo, Status } from '../../protos/gen/digitalwallet/common/v1/error.ts';

const errorInfoUrl = 'type.googleapis.com/google.rpc.ErrorInfo';

/** What `grpc-status-details-bin` says of a failed call; undefined if it is not ours. */
export function decodeErrorInfo(bytes: unknown): ErrorInfo | undefined {
  if (!(bytes instanceof Buffer)) return undefined;
  try {
    const detail = Status.decode(bytes).details.find(({ typeUrl }) => typeUrl === errorInfoUrl);
    return detail && ErrorInfo.decode(detail.value);
  } catch {
    return undefined;
  }
}
