// The first process of the machine that `bochs.py` starts: runs one program on its files, tells its status and
// switches off.
#include <stdio.h>
#include <sys/io.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  static char* const words[] = {"/program", ARGUMENTS, NULL};
  static const char off[] = "Shutdown";  // Bochs's own port, which needs no ACPI
  int status = 0;
  puts("\nSTARTED");
  fflush(stdout);
  if (fork() == 0) {
    execv(words[0], words);
    _exit(127);
  }
  wait(&status);
  printf("\nSTATUS %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  fflush(stdout);
  sleep(1);  // the serial line has a buffer
  if (ioperm(0x8900, 1, 1) == 0)
    for (const char* at = off; *at != '\0'; ++at) outb((unsigned char)*at, 0x8900);
  return 1;
}
