/*
 * probe_candidates.c
 *		Where a camera's streams usually are, when only its address is known.
 *
 * The paths are those that vendors document.
 */
#include "probe_candidates.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "url.h"

#define MAX_HOST 255

static const char *const rtsp_paths[] = {
	"/Streaming/Channels/101",				/* Hikvision, HiLook */
	"/cam/realmonitor?channel=1&subtype=0", /* Dahua, Amcrest, Lorex */
	"/axis-media/media.amp",				/* Axis */
	"/h264Preview_01_main",					/* Reolink */
	"/Preview_01_main",						/* Reolink, H.265 */
	"/stream1",								/* TP-Link Tapo and VIGI */
	"/s0",									/* UniFi */
	"/videoMain",							/* Foscam */
	"/MediaInput/h264",						/* Panasonic */
	"/profile1/media.smp",					/* Hanwha */
	"/media/video1",						/* Sony, Vivotek, Uniview */
	"/live.sdp",							/* Vivotek */
	"/video1",								/* Bosch, GeoVision */
	"/11",									/* HiSilicon */
	"/live/ch00_0",							/* ONVIF, generic */
	"/onvif1",								/* the same */
	"/live/main",							/* the same */
	"/live",								/* the same */
	"/ch0_0.h264",							/* the same */
	"/h264",								/* the same */
	"/stream",								/* MediaMTX and other servers */
	"/camera",								/* the same */
	"/cam",									/* the same */
	"/unicast",								/* v4l2rtspserver */
	"/",									/* whatever it has */
	"/Streaming/Channels/102",				/* Hikvision, sub-stream */
	"/cam/realmonitor?channel=1&subtype=1", /* Dahua, the same */
	"/h264Preview_01_sub",					/* Reolink, the same */
	"/stream2",								/* TP-Link, the same */
};

static const char *const http_paths[] = {
	"/axis-cgi/mjpg/video.cgi",					   /* Axis */
	"/cgi-bin/mjpg/video.cgi?channel=1&subtype=1", /* Dahua */
	"/ISAPI/Streaming/channels/102/httpPreview",   /* Hikvision */
	"/videostream.cgi",							   /* Foscam */
	"/mjpg/video.mjpg",							   /* Axis, old */
	"/video.mjpg",								   /* D-Link, TRENDnet */
	"/video.mjpeg",								   /* generic */
	"/video",									   /* IP Webcam */
	"/stream.mjpg",								   /* picamera */
	"/stream",									   /* ESP32-CAM */
	"/?action=stream",							   /* mjpg-streamer */
	"/",										   /* Motion */
};

static const char *const still_paths[] = {
	"/ISAPI/Streaming/channels/101/picture", /* Hikvision */
	"/cgi-bin/snapshot.cgi",				 /* Dahua */
	"/axis-cgi/jpg/image.cgi",				 /* Axis */
	"/cgi-bin/api.cgi?cmd=Snap&channel=0",	 /* Reolink */
	"/snap.jpeg",							 /* UniFi */
	"/snapshot.jpg",						 /* generic */
	"/image.jpg",							 /* the same */
	"/shot.jpg",							 /* IP Webcam */
	"/?action=snapshot",					 /* mjpg-streamer */
};

/* Doors of a host of which no port was given. */
static const int rtsp_ports[] = {554, 8554};
static const int http_ports[] = {80, 8080, 81, 8081};

#define COUNT(array) ((int) (sizeof(array) / sizeof((array)[0])))

typedef struct List
{
	Candidate *candidates;
	int count;
	int doors;
	const char *host;
} List;

/* Add the paths of one door; a port that is the scheme's own is left out. */
static void
add_paths(List *list, const char *scheme, int port, const char *const *paths, int npaths,
		  bool still)
{
	bool usual = port == (strcmp(scheme, "rtsp") == 0 ? 554 : 80);

	for (int i = 0; i < npaths && list->count < CANDIDATES_MAX_COUNT; i++)
	{
		Candidate *candidate = &list->candidates[list->count++];

		if (usual)
			snprintf(candidate->url, CANDIDATE_URL, "%s://%s%s", scheme, list->host, paths[i]);
		else
			snprintf(candidate->url, CANDIDATE_URL, "%s://%s:%d%s", scheme, list->host, port,
					 paths[i]);
		candidate->door = list->doors;
		candidate->still = still;
	}
}

static void
add_rtsp(List *list, int port)
{
	add_paths(list, "rtsp", port, rtsp_paths, COUNT(rtsp_paths), false);
	list->doors++;
}

static void
add_http(List *list, int port)
{
	add_paths(list, "http", port, http_paths, COUNT(http_paths), false);
	add_paths(list, "http", port, still_paths, COUNT(still_paths), true);
	list->doors++;
}

static bool
is_host_character(char c)
{
	return isalnum((unsigned char) c) || c == '.' || c == '-' || c == '_';
}

/* Take "host", "host:port", "[v6]" or "[v6]:port" apart; port 0: none. */
static bool
split_address(const char *address, char host[MAX_HOST + 1], int *port)
{
	const char *end = address;
	char *rest;
	long number;

	*port = 0;
	if (*end == '[')
	{
		for (end++; isxdigit((unsigned char) *end) || *end == ':' || *end == '.'; end++)
			;
		if (*end++ != ']')
			return false;
	}
	else
		while (is_host_character(*end))
			end++;
	if (end == address || end - address > MAX_HOST || (*end != '\0' && *end != ':'))
		return false;
	snprintf(host, MAX_HOST + 1, "%.*s", (int) (end - address), address);
	if (*end == '\0')
		return true;
	number = strtol(end + 1, &rest, 10);
	*port = (int) number;
	return isdigit((unsigned char) end[1]) && *rest == '\0' && number >= 1 && number <= 65535;
}

static bool
is_device_number(const char *address)
{
	return strspn(address, "0123456789") == strlen(address) && strlen(address) >= 1 &&
		   strlen(address) <= 2;
}

int
candidates_list(const char *address, Candidate *candidates, char *reason, size_t reason_size)
{
	List list = {.candidates = candidates};
	char host[MAX_HOST + 1];
	int port;

	candidates[0] = (Candidate){.door = 0};
	if (is_device_number(address))
	{
		snprintf(candidates[0].url, CANDIDATE_URL, "/dev/video%s", address);
		return 1;
	}
	if (strstr(address, "://") != NULL || *url_path(address) == '/')
	{
		UrlKind kind;

		if (strlen(address) < CANDIDATE_URL && url_classify(address, &kind, reason, reason_size))
		{
			snprintf(candidates[0].url, CANDIDATE_URL, "%s", address);
			return 1;
		}
		if (strlen(address) >= CANDIDATE_URL)
			snprintf(reason, reason_size, "the address is too long");
		return -1;
	}
	if (!split_address(address, host, &port))
	{
		snprintf(reason, reason_size, "it is no URL, host, host:port, path or number of a device");
		return -1;
	}
	list.host = host;
	if (port > 0)
	{
		add_rtsp(&list, port);
		add_http(&list, port);
		return list.count;
	}
	for (int i = 0; i < COUNT(rtsp_ports); i++)
		add_rtsp(&list, rtsp_ports[i]);
	for (int i = 0; i < COUNT(http_ports); i++)
		add_http(&list, http_ports[i]);
	return list.count;
}
