import type { InferenceServer } from '../../core/server.js';
import type { ProtoMessage } from './proto.js';

/** Answers a request with a message of the method's response type; throws or rejects with ServerErrors. */
export type AdminMethod = (server: InferenceServer, request: ProtoMessage) => object | Promise<object>;
