/**
 * The other end of `LimitProcess`: calls `handle` for each order, one after another, and sends what it returns. A closed channel means that
 * the bench is gone, so the process ends.
 */
export function serveOrders<Order extends object>(handle: (order: Order) => Promise<object>): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', (order: Order) => {
    handle(order).then(
      (answer) => process.send!(answer),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}
