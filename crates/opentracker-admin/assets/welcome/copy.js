const said = document.getElementById("said");

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // A page without TLS has no clipboard, but may copy what is selected.
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  }
  return true;
}

for (const button of document.querySelectorAll("li button")) {
  const code = button.previousElementSibling;
  button.setAttribute("aria-label", `Copy ${code.textContent}`);
  button.addEventListener("click", async () => {
    const isCopied = await copy(code);
    button.textContent = isCopied ? "Copied" : "Selected";
    said.textContent = isCopied ? "Copied." : "Selected: copy it with the keyboard.";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  button.hidden = false;
}
