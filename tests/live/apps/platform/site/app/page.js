export default function Page() {
  return <main data-note={process.env.NEXT_PUBLIC_NOTE}>site</main>;
}
