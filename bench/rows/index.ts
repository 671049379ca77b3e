import type { Row } from '../support/row.ts';
import { batchRow } from './batch.ts';
import { eventsInRow } from './events-in.ts';
import { exportRow } from './export.ts';
import { httpBatchRow, httpNdjsonRow, httpRow } from './http.ts';
import { largeRow } from './large.ts';
import { limitRow } from './limit.ts';
import { overloadRow } from './overload.ts';
import { pipelineRow } from './pipeline.ts';
import { readRow } from './read.ts';
import { signInRow } from './sign-in.ts';
import { startRow } from './start.ts';
import { hotRow, streamRow } from './stream.ts';
import { tableRow } from './table.ts';
import { batchUnaryRow, unaryRow } from './unary.ts';

/** In the order in which they run. */
export const rows: readonly Row[] = [
  startRow,
  signInRow,
  streamRow,
  hotRow,
  limitRow,
  unaryRow,
  batchUnaryRow,
  httpRow,
  httpBatchRow,
  httpNdjsonRow,
  overloadRow,
  eventsInRow,
  pipelineRow,
  readRow,
  largeRow,
  exportRow,
  batchRow,
  tableRow,
];
