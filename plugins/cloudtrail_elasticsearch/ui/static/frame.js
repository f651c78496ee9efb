// Airflow shows the pages in a sandboxed frame, which may not open windows or leave Airflow. Airflow's own window
// follows the links instead.
export function leaveFrames() {
  if (parent === window) return;
  addEventListener("click", follow);
  addEventListener("auxclick", follow);
}

function follow(event) {
  const link = event.target.closest("a[target]");
  if (!link || event.button > 1) return;
  event.preventDefault();
  const twin = parent.document.createElement("a");
  twin.href = link.href;
  twin.rel = link.rel;
  twin.target = event.button || event.ctrlKey || event.metaKey ? "_blank" : link.target;
  parent.document.body.append(twin);
  twin.click();
  twin.remove();
}
