/** A repository, as a folder on this machine. */
export interface RepositorySource {
  /** As it was given. */
  readonly url: string;
  /** Where its models lie: a folder as `scanRepositories` reads it. */
  readonly directory: string;
  /**
   * How much of the repository the folder has, of whatever moment: nothing was ever brought here; models are missing that the
   * repository has; all.
   */
  readonly coverage: 'none' | 'some' | 'all';
  /**
   * Brings the folder to the state of the store, or one model of it. Each model is exchanged in one step, and only where its state
   * here is another one. Rejects with a ServerError where that cannot be done; models that it cannot be done for stay as they were,
   * the others are brought up to date. May be called while it runs.
   */
  sync(model?: string): Promise<void>;
  /** Stops what is under way. */
  close(): Promise<void>;
}
