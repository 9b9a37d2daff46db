/** A model that loads for ever. */
export default function runInstance() {
  return new Promise(() => setInterval(() => {}, 1000));
}
export { runInstance };
