// Airflow 3.0's UI keeps the user's token in the local storage. login.html has copied it to a cookie for the pages.
// Later versions of Airflow have a cookie of their own, which no script can read, and not this one.
export function authorize() {
  const token = (/(?:^|; )cloudtrail_token=([^;]*)/.exec(document.cookie) ?? [])[1];
  if (!token) return {};
  if (token !== localStorage.getItem("token")) {
    // The user has logged out of Airflow or in again: load the page with the present login.
    const folder = location.pathname.replace(/\/[^/]*$/, "");
    document.cookie = `cloudtrail_token=; Path=${folder}; Max-Age=0`;
    location.reload();
  }
  return { authorization: `Bearer ${token}` };
}
