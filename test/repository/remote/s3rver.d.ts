/** What the tests use of a package without types. */
declare module '@20minutes/s3rver' {
  import type { RequestListener } from 'node:http';

  interface Context {
    readonly path: string;
    readonly state: { vhost?: boolean };
    mountPath: string;
  }

  interface Settings {
    readonly directory: string;
    readonly silent: boolean;
    readonly vhostBuckets: boolean;
    readonly configureBuckets: readonly { readonly name: string }[];
  }

  export default class S3rver {
    constructor(settings: Settings);
    /** Of Koa, in the order in which they run. */
    readonly middleware: ((context: Context, next: () => Promise<void>) => Promise<void>)[];
    configureBuckets(): Promise<unknown>;
    callback(): RequestListener;
  }
}
