/** The application of the lane: each writes its own file here; this one is for the type check. */
export * from './app';
