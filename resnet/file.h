/* Files: whole files mapped for reading, and files written all or nothing. */
#ifndef SK_RESNET_FILE_H
#define SK_RESNET_FILE_H

#include <stdio.h>

#include "skiplane.h"

/* A regular file's bytes, read-only. Zeroed, it is a map of nothing that may be closed. */
struct sk_file_map {
  const void *data; /* not NULL once opened, even if the file is empty */
  size_t length;
};

/* Map a regular file. The bytes stay valid until closed, unless somebody shortens the file meanwhile.
 * Errors: SK_IO_ERROR (no such file, not a regular file). */
sk_status sk_file_map_open(struct sk_file_map *map, const char *path);

/* The same for a file of at most so many bytes. Errors: SK_BAD_FORMAT (more), too. */
sk_status sk_file_map_open_within(struct sk_file_map *map, const char *path, size_t most);

/* Map a file that is open already, and stays so. path: its name, for messages. Errors: likewise. */
sk_status sk_file_map_descriptor(struct sk_file_map *map, const char *path, int descriptor, size_t most);
void sk_file_map_close(struct sk_file_map *map);

/* See that a path ends inside of a folder (empty: the current one) when all symbolic links are followed: for names that
 * came from the folder or from a file in it, rather than from the user. Errors: SK_IO_ERROR (it leads elsewhere, or
 * nowhere). */
sk_status sk_file_check_inside(const char *folder, const char *path);

/* A file being written. Under its final name there is either what was there before or the whole new file:
 * it is written under a temporary name in the same folder and renamed by the commit.
 * A target that is no regular file (/dev/stdout, a pipe, a device) is written to directly. */
struct sk_file_writer {
  FILE *stream;
  char *path;      /* the final name, symbolic links resolved */
  char *temporary; /* NULL: written directly */
  int error;       /* errno of the first failed sk_file_write, 0 if none */
};

/* Begin a file. End with commit or discard. Errors: SK_IO_ERROR, SK_OUT_OF_MEMORY; then nothing is left open. */
sk_status sk_file_writer_open(struct sk_file_writer *writer, const char *path);

/* Append bytes. A failure is remembered and reported by the commit. */
void sk_file_write(struct sk_file_writer *writer, const void *data, size_t bytes);

/* Finish: everything on disk, then renamed. Errors: SK_IO_ERROR if any write failed (a full disk, say); then the
 * temporary file is removed and the final name is untouched. The writer is closed in either case. */
sk_status sk_file_writer_commit(struct sk_file_writer *writer);

/* Give up: remove the temporary file. Does nothing to a writer that was committed or never opened (zeroed). */
void sk_file_writer_discard(struct sk_file_writer *writer);

/* Find out whether a file can be written before the time is spent that fills it; NULL can. What is no regular file is
 * not touched before there is something to write: a pipe's reader would take it for the end. Errors: as
 * sk_file_writer_open. */
sk_status sk_file_check_writable(const char *path);

#endif
